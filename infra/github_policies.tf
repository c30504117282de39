# What the three roles of GitHub Actions may do: what their playbooks call, on this environment's resources, and no more. Where the resource is "*", AWS
# knows no narrower one for the action. A test runs the playbooks and compares their calls with these lists (tests/lab/test_ci.py).
locals {
  own = {
    cluster  = "${local.arn_prefix}:ecs:${local.arn_scope}:cluster/${local.names.cluster}"
    services = "${local.arn_prefix}:ecs:${local.arn_scope}:service/${local.names.cluster}/${local.name}-*"
    tasks    = "${local.arn_prefix}:ecs:${local.arn_scope}:task/${local.names.cluster}/*"
    families = "${local.arn_prefix}:ecs:${local.arn_scope}:task-definition/${local.name}-*:*"
    images   = [for name in sort(keys(var.services)) : "${local.arn_prefix}:ecr:${local.arn_scope}:repository/${local.name}-${name}"]
    logs     = "${local.arn_prefix}:logs:${local.arn_scope}:log-group:/ecs/${local.name}-*"
    secrets  = "${local.arn_prefix}:ssm:${local.arn_scope}:parameter${var.ssm_path}"
    task_roles = [
      "${local.arn_prefix}:iam::${data.aws_caller_identity.current.account_id}:role/${local.names.execution_role}",
      "${local.arn_prefix}:iam::${data.aws_caller_identity.current.account_id}:role/${local.names.task_role}",
    ]
    roles     = "${local.arn_prefix}:iam::${data.aws_caller_identity.current.account_id}:role/${local.name}-*"
    database  = "${local.arn_prefix}:rds:${local.arn_scope}:db:${local.names.database}"
    redis     = "${local.arn_prefix}:elasticache:${local.arn_scope}:cluster:${local.names.redis}"
    balancer  = "${local.arn_prefix}:elasticloadbalancing:${local.arn_scope}:loadbalancer/app/${local.names.load_balancer}/*"
    listeners = "${local.arn_prefix}:elasticloadbalancing:${local.arn_scope}:listener/app/${local.names.load_balancer}/*"
    rules     = "${local.arn_prefix}:elasticloadbalancing:${local.arn_scope}:listener-rule/app/${local.names.load_balancer}/*"
    bucket    = "${local.arn_prefix}:s3:::${var.state_bucket}"
    table     = "${local.arn_prefix}:dynamodb:${local.arn_scope}:table/${var.records.lock_table}"
    schedule  = "${local.arn_prefix}:scheduler:${local.arn_scope}:schedule/default/${local.name}-*"
    zone      = "${local.arn_prefix}:route53:::hostedzone/${var.domain.zone_id}"
  }

  # What the preflight of a release asks: what is on, and what was begun and has not ended.
  records_read = compact([var.gates_key, var.records.journal_key, var.records.destroy_key, var.records.restore_key, var.records.rotations_key])

  # --- Parts that several roles share ---------------------------------------------------------------------------------
  in_cluster = { ArnEquals = { "ecs:cluster" = local.own.cluster } }

  grant_see_services = [
    {
      Effect   = "Allow"
      Resource = ["*"]
      Action   = ["ecs:DescribeTaskDefinition", "elasticache:Describe*", "elasticloadbalancing:Describe*", "logs:DescribeLogGroups", "rds:Describe*"]
    },
    { Effect = "Allow", Resource = ["*"], Action = ["ecs:ListTasks", "ecs:ListServices"], Condition = local.in_cluster },
    { Effect = "Allow", Resource = [local.own.services, local.own.tasks], Action = ["ecs:DescribeServices", "ecs:DescribeTasks"] },
    { Effect = "Allow", Resource = ["${local.own.logs}:*"], Action = ["logs:GetLogEvents"] },
  ]

  grant_see_network = [{
    Effect   = "Allow"
    Resource = ["*"]
    Action = [
      "ec2:DescribeNatGateways", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints",
    ]
  }]

  # Run a task, or update a service, on behalf of the environment's own roles.
  grant_run = [
    { Effect = "Allow", Resource = [local.own.families], Action = ["ecs:RunTask"], Condition = local.in_cluster },
    { Effect = "Allow", Resource = [local.own.tasks], Action = ["ecs:StopTask"] },
    # RunTask gives a task the tags of its definition, and that is asked for as a right of its own.
    { Effect = "Allow", Resource = [local.own.tasks], Action = ["ecs:TagResource"], Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } } },
    { Effect = "Allow", Resource = [local.own.services], Action = ["ecs:UpdateService"] },
    {
      Effect    = "Allow"
      Resource  = local.own.task_roles
      Action    = ["iam:PassRole"]
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    },
  ]

  # The keys of the lock table are the environments': each role sees its own.
  lock_keys = {
    environment = ["atena.aws/${local.name}"]
    state       = ["${var.state_bucket}/${var.records.state_key}", "${var.state_bucket}/${var.records.state_key}-md5"]
  }

  grant_lock = [for keys in [local.lock_keys.environment, concat(local.lock_keys.environment, local.lock_keys.state)] : {
    Effect    = "Allow"
    Resource  = [local.own.table]
    Action    = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
    Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = keys } }
  }]

  # Without it, what is not there reads as forbidden.
  grant_list_bucket = [{ Effect = "Allow", Resource = [local.own.bucket], Action = ["s3:ListBucket"] }]

  decrypt = {
    StringEquals = { "kms:ViaService" = local.ssm_service }
    StringLike   = { "kms:EncryptionContext:PARAMETER_ARN" = "${local.own.secrets}/*" }
  }

  # Everything that Terraform reads again before a plan. The two secrets that it made are among it: see docs/security.md.
  grant_plan = concat(local.grant_see_services, local.grant_see_network, local.grant_list_bucket, [
    {
      Effect   = "Allow"
      Resource = ["*"]
      Action = [
        "ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute", "ec2:DescribeAvailabilityZones", "ec2:DescribeInternetGateways",
        "ec2:DescribeNetworkAcls", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroupRules", "ec2:DescribeTags", "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcs", "ecs:DescribeClusters", "elasticache:ListTagsForResource", "rds:ListTagsForResource", "ssm:DescribeParameters",
      ]
    },
    { Effect = "Allow", Resource = [local.own.cluster, local.own.services, local.own.families], Action = ["ecs:ListTagsForResource"] },
    { Effect = "Allow", Resource = local.own.images, Action = ["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"] },
    { Effect = "Allow", Resource = [local.own.logs], Action = ["logs:ListTagsForResource"] },
    {
      Effect   = "Allow"
      Resource = [local.own.roles]
      Action   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListRoleTags"]
    },
    { Effect = "Allow", Resource = local.github ? [local.github_provider] : [], Action = ["iam:GetOpenIDConnectProvider"] },
    { Effect = "Allow", Resource = [local.own.schedule], Action = ["scheduler:GetSchedule", "scheduler:ListTagsForResource"] },
    {
      Effect   = "Allow"
      Resource = [for name in local.generated_secrets : "${local.own.secrets}/${name}"]
      Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource"]
    },
    { Effect = "Allow", Resource = ["${local.arn_prefix}:kms:${local.arn_scope}:key/*"], Action = ["kms:Decrypt"], Condition = local.decrypt },
    {
      Effect   = "Allow"
      Resource = [for key in [var.records.state_key, var.gates_key, var.records.journal_key, var.records.destroy_key] : "${local.own.bucket}/${key}"]
      # The provider reads the gates object's tags, too.
      Action = ["s3:GetObject", "s3:GetObjectTagging"]
    },
    ], [for statement in [
      { Effect = "Allow", Resource = [local.own.zone], Action = ["route53:GetHostedZone", "route53:ListResourceRecordSets"] },
      { Effect = "Allow", Resource = ["${local.arn_prefix}:route53:::change/*"], Action = ["route53:GetChange"] },
  ] : statement if var.domain.name != ""])

  # --- The power gate: what a stop takes away and a start makes again -------------------------------------------------
  own_tags = { StringEquals = { "aws:ResourceTag/Project" = var.project, "aws:ResourceTag/Stage" = var.stage } }

  grant_gates = concat([
    # A load balancer's security groups are looked up in the caller's name.
    { Effect = "Allow", Resource = ["*"], Action = ["ec2:DescribeAccountAttributes", "ec2:GetSecurityGroupsForVpc"] },
    {
      Effect    = "Allow"
      Resource  = [for kind in ["natgateway", "subnet", "elastic-ip"] : "${local.arn_prefix}:ec2:${local.arn_scope}:${kind}/*"]
      Action    = ["ec2:CreateNatGateway"]
      Condition = { StringEqualsIfExists = { "aws:ResourceTag/Project" = var.project, "aws:ResourceTag/Stage" = var.stage } }
    },
    {
      Effect    = "Allow"
      Resource  = ["${local.arn_prefix}:ec2:${local.arn_scope}:natgateway/*"]
      Action    = ["ec2:CreateTags"]
      Condition = { StringEquals = { "ec2:CreateAction" = "CreateNatGateway" } }
    },
    { Effect = "Allow", Resource = ["${local.arn_prefix}:ec2:${local.arn_scope}:natgateway/*"], Action = ["ec2:DeleteNatGateway"], Condition = local.own_tags },
    {
      Effect    = "Allow"
      Resource  = ["${local.arn_prefix}:ec2:${local.arn_scope}:route-table/*"]
      Action    = ["ec2:CreateRoute", "ec2:DeleteRoute", "ec2:ReplaceRoute"]
      Condition = local.own_tags
    },
    {
      Effect   = "Allow"
      Resource = [local.own.balancer, local.own.listeners]
      Action = [
        "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyLoadBalancerAttributes",
      ]
    },
    ], [for statement in [
      { Effect = "Allow", Resource = [local.own.listeners, local.own.rules], Action = ["elasticloadbalancing:CreateRule"] },
      { Effect = "Allow", Resource = [local.own.rules], Action = ["elasticloadbalancing:AddTags", "elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule"] },
      ] : statement if length(local.routed_services) > 0], [for statement in [{
        Effect   = "Allow"
        Resource = [local.own.zone]
        Action   = ["route53:ChangeResourceRecordSets"]
        Condition = {
          "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = [var.domain.name] }
        }
      }] : statement if var.domain.name != ""], [for statement in [
      { Effect = "Allow", Resource = [local.own.schedule], Action = ["scheduler:UpdateSchedule"] },
      {
        Effect    = "Allow"
        Resource  = [replace(local.own.roles, "-*", "-stop-database")]
        Action    = ["iam:PassRole"]
        Condition = { StringEquals = { "iam:PassedToService" = "scheduler.amazonaws.com" } }
      },
  ] : statement if var.database_stop_schedule.enabled])

  # --- The roles ------------------------------------------------------------------------------------------------------
  github_policies = {
    # deploy.yml, with the preflight before it and the diagnosis after a failure.
    deploy = concat(local.grant_see_services, local.grant_see_network, local.grant_run, local.grant_list_bucket, [
      { Effect = "Allow", Resource = ["*"], Action = ["ecr:GetAuthorizationToken", "ecs:RegisterTaskDefinition", "ssm:DescribeParameters"] },
      {
        Effect   = "Allow"
        Resource = local.own.images
        Action = [
          # A release takes the tag that protected an older one away, which is a deletion by the tag.
          "ecr:BatchCheckLayerAvailability", "ecr:BatchDeleteImage", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages", "ecr:DescribeRepositories",
          "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
      },
      { Effect = "Allow", Resource = [local.own.families], Action = ["ecs:TagResource"] },
      # Whether a secret is set, and set to something: the preflight asks before anything is built. The values, earlier ones too, are taken out of what is shown.
      { Effect = "Allow", Resource = [local.own.secrets, "${local.own.secrets}/*"], Action = ["ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath"] },
      { Effect = "Allow", Resource = ["${local.arn_prefix}:kms:${local.arn_scope}:key/*"], Action = ["kms:Decrypt"], Condition = local.decrypt },
      { Effect = "Allow", Resource = local.own.task_roles, Action = ["iam:GetRole", "iam:SimulatePrincipalPolicy"] },
      {
        Effect   = "Allow"
        Resource = [for key in local.records_read : "${local.own.bucket}/${key}"]
        Action   = ["s3:GetObject"]
      },
      {
        Effect   = "Allow"
        Resource = [for prefix in [var.records.releases_prefix, var.records.evidence_prefix] : "${local.own.bucket}/${prefix}*"]
        Action   = ["s3:GetObject", "s3:PutObject"]
      },
    ], slice(local.grant_lock, 0, 1))

    # stop.yml, start.yml, schedule.yml and guard.yml.
    toggle = concat(local.grant_plan, local.grant_gates, local.grant_run, slice(local.grant_lock, 1, 2), [
      {
        Effect   = "Allow"
        Resource = ["*"]
        Action   = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:RegisterScalableTarget"]
      },
      { Effect = "Allow", Resource = [local.own.database], Action = ["rds:StartDBInstance", "rds:StopDBInstance"] },
      {
        Effect   = "Allow"
        Resource = [local.own.database, "${local.arn_prefix}:rds:${local.arn_scope}:snapshot:${local.names.database}-stop-*"]
        Action   = ["rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBSnapshot"]
      },
      {
        Effect = "Allow"
        Resource = [
          local.own.redis, "${local.arn_prefix}:elasticache:${local.arn_scope}:snapshot:${local.names.redis}-*",
          "${local.arn_prefix}:elasticache:${local.arn_scope}:parametergroup:${local.name}-*",
          "${local.arn_prefix}:elasticache:${local.arn_scope}:subnetgroup:${local.name}-*",
        ]
        Action = [
          "elasticache:AddTagsToResource", "elasticache:CreateCacheCluster", "elasticache:CreateSnapshot", "elasticache:DeleteCacheCluster",
          "elasticache:DeleteSnapshot",
        ]
      },
      { Effect = "Allow", Resource = ["${local.own.secrets}/REDIS_URL"], Action = ["ssm:PutParameter"] },
      { Effect = "Allow", Resource = ["${local.arn_prefix}:kms:${local.arn_scope}:key/*"], Action = ["kms:Encrypt", "kms:GenerateDataKey"], Condition = local.decrypt },
      {
        Effect   = "Allow"
        Resource = [for key in [var.records.state_key, var.gates_key, var.records.journal_key] : "${local.own.bucket}/${key}"]
        Action   = ["s3:PutObject"]
      },
      # The load balancer's name is new after each start, and GitHub is told of it.
      { Effect = "Allow", Resource = ["${local.own.bucket}/${var.records.github_key}"], Action = ["s3:GetObject", "s3:PutObject"] },
    ])

    # infra.yml --check: nothing that writes, and no lock. The table is read for the state's checksum.
    plan = concat(local.grant_plan, [{
      Effect    = "Allow"
      Resource  = [local.own.table]
      Action    = ["dynamodb:GetItem"]
      Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = local.lock_keys.state } }
    }])
  }
}
