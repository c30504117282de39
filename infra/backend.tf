# Deliberately empty. The bucket carries the account's id, so it differs from account to account: the role writes
# backend_override.tf.json into each environment's working copy, which completes this block and is never committed.
terraform {
  backend "s3" {}
}
