# The address stays while the power is off: partners who allow it by address keep reaching the same environment.
resource "aws_eip" "nat" {
  domain = "vpc"

  tags = { Name = local.names.nat_gateway }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "main" {
  count = local.power_on ? 1 : 0

  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[local.zone_names[0]].id

  tags = { Name = local.names.nat_gateway }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route" "private_nat" {
  count = local.power_on ? 1 : 0

  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[0].id
}
