provider "aws" {
  # From the environment's description and never from the caller's AWS_REGION: a plan made with another region in the
  # shell would otherwise propose a second copy of everything over there.
  region = var.region

  # Only for an endpoint that serves every bucket under one host name. AWS itself wants the other style.
  s3_use_path_style = var.s3_use_path_style

  default_tags {
    tags = merge(var.tags, {
      Project   = var.project
      Stage     = var.stage
      ManagedBy = "terraform"
    })
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}
