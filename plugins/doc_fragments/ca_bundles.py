# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `ca_bundles` of modules that prepare a release's revisions (module_utils/images/bundle.py)."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ca_bundles:
    description:
      - Whether a container gets the path where its image has a certificate bundle (the label C(atena.ca-bundle), see M(atena.aws.ecr_image)), by
        C(NODE_EXTRA_CA_CERTS) and C(PGSSLROOTCERT) in its environment. A variable that the template or the image sets itself stays as it is.
      - The images' configurations are then read from ECR.
    type: bool
    default: true
"""
