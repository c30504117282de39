resource "aws_db_subnet_group" "main" {
  name        = local.names.database
  description = "Private subnets of ${local.name}"
  subnet_ids  = [for zone in local.zone_names : aws_subnet.private[zone].id]
}

# Letters and digits only: the password is part of a URL, and RDS refuses some signs.
resource "random_password" "database" {
  length  = 32
  special = false
}

# RDS refuses to delete an instance into a snapshot whose name is taken, so each instance needs a name of its own. The
# keepers are the arguments that make Terraform replace the instance: the old one goes into the old name, the new one
# gets a new name. A whole destroy and re-create draws a new name too. Nothing here changes from day to day, so no
# plan is dirty, and an imported instance gets a name as well (a timestamp with ignore_changes would leave it without).
resource "random_id" "final_snapshot" {
  byte_length = 4

  keepers = {
    identifier = local.names.database
    name       = var.database.name
    username   = var.database.username
  }
}

resource "aws_db_instance" "main" {
  identifier     = local.names.database
  engine         = "postgres"
  engine_version = local.database_engine_version # database_version.tf
  instance_class = var.database.instance_class
  multi_az       = var.database.multi_az

  # For an environment that is made again (redeploy.yml). The instance then has the snapshot's rows and, as its password is set anew, this
  # configuration's password.
  snapshot_identifier = var.database_snapshot

  db_name  = var.database.name
  username = var.database.username
  password = random_password.database.result
  port     = 5432

  storage_type      = "gp3"
  allocated_storage = var.database.allocated_storage
  storage_encrypted = true

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false

  backup_retention_period    = var.database.backup_retention_days
  backup_window              = var.database.backup_window
  maintenance_window         = var.database.maintenance_window
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true

  deletion_protection       = var.database.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${local.names.database}-final-${random_id.final_snapshot.hex}"

  # A person decides, in the inventory: RDS refuses another major version without it. Null is what the provider has for an instance that never was upgraded.
  allow_major_version_upgrade = var.database.allow_major_version_upgrade ? true : null

  # Otherwise a change waits for the maintenance window, and every plan until then proposes it again.
  apply_immediately = true

  tags = { Name = local.names.database }

  lifecycle {
    # The password belongs to DATABASE_URL, whose value Terraform ignores too once it is written (secrets.tf). Whoever
    # rotates it changes both. If Terraform alone set the password again, the application would be locked out.
    # What an instance was made from is over once it is there: with it, or without it, the next plan would replace the instance.
    ignore_changes = [password, snapshot_identifier]

    # For whoever replaces the instance by hand (terraform apply -replace): no version is asked for then (database_version.tf). infra.yml refuses that.
    postcondition {
      condition     = var.database_snapshot != null || split(".", self.engine_version)[0] == local.database_version_wanted.major
      error_message = "The database ${local.names.database} was made in PostgreSQL ${self.engine_version}, but the configuration says ${var.database.engine_version}. Replace it once more: it is made in the version of the configuration now."
    }
  }
}
