# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `parameters`: what a cache cluster or replication group of ElastiCache is made of."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  parameters:
    description:
      - What the cache is made of. A whole record, as M(atena.aws.elasticache_snapshot) and M(atena.aws.elasticache_restore) return it
        (RV(atena.aws.elasticache_restore#module:cache.parameters)), or a part of it - what is not given, or null, is taken from the snapshot's own metadata.
      - A snapshot keeps neither security groups nor tags, nor whether there was encryption in transit or an AUTH token; of a replication group
        without cluster mode not even the number of replicas.
    type: dict
    suboptions:
      id:
        description: The cache that the record is of. The default of O(source).
        type: str
      kind:
        description: A cache cluster of one node, or a replication group. Valkey knows groups only.
        type: str
        choices: [cluster, replication_group]
      description:
        description: The description of a group.
        type: str
      engine:
        description: V(redis) or V(valkey).
        type: str
      engine_version:
        description: Not older than the snapshot's. The third number is left out where ElastiCache refuses it (Redis OSS 6 and later, Valkey).
        type: str
      node_type:
        description: The type of the nodes.
        type: str
      num_cache_nodes:
        description: V(1); the nodes of a cluster.
        type: int
      num_node_groups:
        description: The shards of a group in cluster mode.
        type: int
      replicas_per_node_group:
        description: Replicas of each primary of a group.
        type: int
      node_groups:
        description: The shards of a group in cluster mode, where they are not alike.
        type: list
        elements: dict
        suboptions:
          id:
            description: The shard's number, with four digits.
            type: str
          slots:
            description: Its range of slots.
            type: str
          replica_count:
            description: Its replicas.
            type: int
          availability_zones:
            description: The zones of its nodes, the primary's first.
            type: list
            elements: str
      cluster_enabled:
        description: Whether a group is in cluster mode.
        type: bool
      cluster_mode:
        description: V(enabled), V(disabled) or V(compatible).
        type: str
      port:
        description: The port.
        type: int
      subnet_group:
        description: The name of the subnet group.
        type: str
      security_group_ids:
        description: The security groups. Without any, ElastiCache takes the default one of the VPC.
        type: list
        elements: str
      parameter_group:
        description: The name of the parameter group.
        type: str
      maintenance_window:
        description: The weekly window, C(ddd:hh24:mi-ddd:hh24:mi), UTC.
        type: str
      snapshot_window:
        description: The daily window of automatic snapshots, UTC.
        type: str
      snapshot_retention_limit:
        description: Days that automatic snapshots are kept; V(0) for none.
        type: int
      notification_topic_arn:
        description: The SNS topic of its events.
        type: str
      auto_minor_version_upgrade:
        description: Whether it takes part in minor upgrades.
        type: bool
      preferred_availability_zone:
        description: The zone of a cluster.
        type: str
      preferred_availability_zones:
        description: The zones of a group without cluster mode, the primary's first, one for each node.
        type: list
        elements: str
      automatic_failover:
        description: Whether a replica takes over automatically.
        type: bool
      multi_az:
        description: Whether the nodes are spread over zones.
        type: bool
      data_tiering:
        description: Whether data are tiered to SSD (r6gd nodes).
        type: bool
      durability:
        description: The durability setting of a group. Needs a boto3 that knows it; 1.35.69 does not.
        type: str
      at_rest_encryption:
        description: Whether a group is encrypted at rest.
        type: bool
      kms_key_id:
        description: The key of that.
        type: str
      transit_encryption:
        description: Whether connections are encrypted.
        type: bool
      transit_encryption_mode:
        description: V(required) or V(preferred).
        type: str
      auth:
        description: Whether there is an AUTH token. The token itself is never recorded; it is given with O(auth_token).
        type: bool
      user_group_ids:
        description: The user groups.
        type: list
        elements: str
      log_delivery:
        description: Where its logs go.
        type: list
        elements: dict
        suboptions:
          log_type:
            description: V(slow-log) or V(engine-log).
            type: str
            required: true
          log_format:
            description: V(json) or V(text).
            type: str
          destination_type:
            description: V(cloudwatch-logs) or V(kinesis-firehose).
            type: str
            required: true
          destination:
            description: The name of the log group or of the delivery stream.
            type: str
            required: true
      network_type:
        description: V(ipv4), V(ipv6) or V(dual_stack).
        type: str
      ip_discovery:
        description: V(ipv4) or V(ipv6).
        type: str
      tags:
        description: The tags.
        type: dict
"""
