resource "aws_lb" "main" {
  count = local.has_load_balancer ? 1 : 0

  name                       = local.names.load_balancer
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = [for zone in local.zone_names : aws_subnet.public[zone].id]
  security_groups            = [aws_security_group.alb.id]
  idle_timeout               = 60
  drop_invalid_header_fields = true

  # A stop of the environment removes the load balancer, so it cannot be protected from it. Nothing is stored in it.
  enable_deletion_protection = false

  tags = { Name = local.names.load_balancer }
}

# Stays while the power is off: the service refers to it, and ECS accepts no other one without a new service.
resource "aws_lb_target_group" "service" {
  for_each = local.web_services

  name                 = "${local.name}-${each.key}-tg"
  vpc_id               = aws_vpc.main.id
  target_type          = "ip"
  port                 = each.value.port
  protocol             = "HTTP"
  deregistration_delay = var.deregistration_delay_seconds

  health_check {
    path     = each.value.health_check_path
    protocol = "HTTP"
    matcher  = "200"
    # A release waits for this: the shortest interval that AWS has, twice. That a target is dead is decided as slowly as ever (nine times five seconds):
    # a pause of Node's garbage collector is no death. docs/benchmark.md has the other times of a release.
    interval            = 5
    timeout             = 4
    healthy_threshold   = 2
    unhealthy_threshold = 9
  }

  tags = { Name = "${local.name}-${each.key}-tg" }

  lifecycle {
    precondition {
      condition     = length("${local.name}-${each.key}-tg") <= 32
      error_message = "The target group's name ${local.name}-${each.key}-tg is longer than the 32 characters that AWS allows. Shorten project, stage or the service's name."
    }
  }
}

locals {
  https = var.https.certificate_arn != ""
}

# With a certificate it only sends people to 443.
resource "aws_lb_listener" "http" {
  for_each = local.power_on ? local.default_services : {}

  load_balancer_arn = aws_lb.main[0].arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = local.https ? "redirect" : "forward"
    target_group_arn = local.https ? null : aws_lb_target_group.service[each.key].arn

    dynamic "redirect" {
      for_each = local.https ? ["443"] : []

      content {
        port        = redirect.value
        protocol    = "HTTPS"
        status_code = "HTTP_301"
      }
    }
  }

  # Nobody is sent to where nothing listens yet.
  depends_on = [aws_lb_listener.https]
}

resource "aws_lb_listener" "https" {
  for_each = local.power_on && local.https ? local.default_services : {}

  load_balancer_arn = aws_lb.main[0].arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.https.certificate_arn

  # Always stated: without it AWS takes one of 2016 that accepts TLS 1.0.
  ssl_policy = var.https.tls_policy

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service[each.key].arn
  }

  lifecycle {
    precondition {
      condition     = strcontains(var.https.certificate_arn, ":acm:${var.region}:") || !strcontains(var.https.certificate_arn, ":acm:")
      error_message = "The certificate ${var.https.certificate_arn} is not of the region ${var.region}: a load balancer takes those of its own region only."
    }
  }
}

# Of the listener that serves: the one on 80 only sends people to 443 where there is a certificate.
resource "aws_lb_listener_rule" "service" {
  for_each = local.power_on ? local.routed_services : {}

  listener_arn = one(values(local.https ? aws_lb_listener.https : aws_lb_listener.http)[*].arn)
  priority     = each.value.listener_rule.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service[each.key].arn
  }

  # A request must meet both conditions where a rule has both.
  dynamic "condition" {
    for_each = length(each.value.listener_rule.hosts) == 0 ? [] : [each.value.listener_rule.hosts]

    content {
      host_header {
        values = condition.value
      }
    }
  }

  dynamic "condition" {
    for_each = length(each.value.listener_rule.paths) == 0 ? [] : [each.value.listener_rule.paths]

    content {
      path_pattern {
        values = condition.value
      }
    }
  }

  tags = { Name = "${local.name}-${each.key}" }
}
