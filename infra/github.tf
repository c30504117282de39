# GitHub Actions, without a stored key: a workflow shows a token that GitHub signed, and gets one of three roles for an hour. Each role trusts exactly
# one subject: this repository, and the branch, environment or pull request that its workflow presents. What they may do: github_policies.tf.
locals {
  github = var.github.repository != ""

  # GitHub's own issuer; an Enterprise Server has another. There can be one provider for it in an account, and all its environments share that one.
  github_provider = !local.github ? "" : (
    var.github.oidc_provider == "create" ? aws_iam_openid_connect_provider.github[0].arn :
    var.github.oidc_provider == "existing" ? data.aws_iam_openid_connect_provider.github[0].arn : var.github.oidc_provider
  )

  github_subject = coalesce(var.github.subject, "repo:${var.github.repository}")
  github_branch  = "ref:refs/heads/${var.github.branch}"

  github_jobs = {
    deploy = {
      description = "GitHub Actions: releases of ${local.name}"
      presents    = var.github.deploy_environment == "" ? local.github_branch : "environment:${var.github.deploy_environment}"
      hours       = 2
    }
    toggle = {
      description = "GitHub Actions: stops and starts ${local.name}"
      presents    = var.github.toggle_environment == "" ? local.github_branch : "environment:${var.github.toggle_environment}"
      # A stop waits for two snapshots and for the database.
      hours = 2
    }
    plan = {
      description = "GitHub Actions: shows what Terraform would change in ${local.name}, reading only"
      presents    = "pull_request"
      hours       = 1
    }
  }

  # To plan is to read the state: not everybody wants that of whoever may open a pull request.
  github_roles = { for name, job in local.github_jobs : name => job if local.github && (name != "plan" || var.github.plan) }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = local.github && var.github.oidc_provider == "create" ? 1 : 0

  url            = "https://${var.github.issuer}"
  client_id_list = ["sts.amazonaws.com"]

  # No thumbprint: AWS knows GitHub's authorities, and takes a server's from the server itself.
}

data "aws_iam_openid_connect_provider" "github" {
  count = local.github && var.github.oidc_provider == "existing" ? 1 : 0

  # By its ARN, which follows from the issuer: searching would need the right to list all of them.
  arn = "${local.arn_prefix}:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/${var.github.issuer}"

  lifecycle {
    postcondition {
      condition     = contains(self.client_id_list, "sts.amazonaws.com")
      error_message = "The OIDC provider ${self.arn} does not accept the audience sts.amazonaws.com, which GitHub's workflows ask for. Add it to the provider's client ids."
    }
  }
}

resource "aws_iam_role" "github" {
  for_each = local.github_roles

  name                 = "${local.name}-github-${each.key}"
  description          = each.value.description
  max_session_duration = each.value.hours * 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.github_provider }
      Condition = {
        # Equal, not like: a wildcard here is how strangers' repositories get in.
        StringEquals = {
          "${var.github.issuer}:aud" = "sts.amazonaws.com"
          "${var.github.issuer}:sub" = "${local.github_subject}:${each.value.presents}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "github" {
  for_each = local.github_roles

  name   = each.key
  role   = aws_iam_role.github[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.github_policies[each.key] })

  lifecycle {
    precondition {
      condition     = length(jsonencode(local.github_policies[each.key])) < 10200
      error_message = "The policy of ${local.name}-github-${each.key} would be longer than the 10,240 characters that IAM takes for a role: names this long leave no room. Shorten project or stage."
    }
  }
}
