terraform {
  # 1.7 brought for_each to import blocks, by which a restored Redis is adopted (redis.tf).
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.0"
    }
  }
}
