# `16` in the configuration means the newest 16.x. RDS answers with the whole version (16.13), raises it by itself (auto_minor_version_upgrade), and
# refuses to go back. The provider keeps `16` in the state of an instance that it made as such. One that was imported, as after restore_database.yml, or
# made from a snapshot has the whole version there, and `16` would be planned as the change 16.13 -> 16, which RDS refuses for ever
# (docs/decisions/a-version-is-asked-for-once.md). So a version that the database already satisfies is not asked for: then the provider
# leaves the one in the state as it is, whatever it is.
data "aws_db_instances" "main" {
  filter {
    name   = "db-instance-id"
    values = [local.names.database]
  }
}

# None or one: without an instance of that name the plural is empty, where the singular would be an error.
data "aws_db_instance" "main" {
  for_each = toset(data.aws_db_instances.main.instance_identifiers)

  db_instance_identifier = each.value
}

locals {
  # minor: null where it is not said.
  database_version_wanted = regex("^(?P<major>[0-9]+)(?:\\.(?P<minor>[0-9]+))?", var.database.engine_version)

  database_version_satisfied = anytrue([
    for instance in data.aws_db_instance.main :
    # One that is going to be replaced, for what cannot be changed in place, is made in the version of the configuration.
    instance.db_name == var.database.name && instance.master_username == var.database.username && instance.storage_encrypted
    && split(".", instance.engine_version)[0] == local.database_version_wanted.major
    && tonumber(try(regex("^[0-9]+\\.([0-9]+)", instance.engine_version)[0], 0)) >= tonumber(coalesce(local.database_version_wanted.minor, "0"))
  ])

  # A database that is made from a snapshot has the snapshot's version: RDS is not asked to change it in the same breath.
  database_made_from_snapshot = length(data.aws_db_instance.main) == 0 && var.database_snapshot != null

  database_engine_version = local.database_version_satisfied || local.database_made_from_snapshot ? null : var.database.engine_version
}
