# The application's name. It belongs to the load balancer and goes with it when the power goes off: an alias that leads nowhere would
# lead to whoever gets that name of AWS's next.
resource "aws_route53_record" "main" {
  # By what decides over the load balancer, not by its instances: an import, by which a start adopts what a killed one had made, knows nothing of
  # an instance that is not in the state yet, and Terraform refuses a count that it cannot know.
  count = local.has_load_balancer && var.domain.name != "" ? 1 : 0

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = "A"

  # No allow_overwrite: a record that is there already is somebody's. Route 53 refuses, and nothing is cut over by accident.
  alias {
    name                   = aws_lb.main[0].dns_name
    zone_id                = aws_lb.main[0].zone_id
    evaluate_target_health = false
  }
}
