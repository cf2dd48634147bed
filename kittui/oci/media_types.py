"""Media types that kittui distinguishes (OCI image-spec, Docker, KitOps, CNCF model-spec, signatures)."""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

KIT_CONFIG = "application/vnd.kitops.modelkit.config.v1+json"
KIT_MANIFEST = "application/vnd.kitops.modelkit.manifest.v1+json"
KIT_INDEX = "application/vnd.kitops.modelkit.index.v1+json"

MODELPACK_MANIFEST = "application/vnd.cncf.model.manifest.v1+json"
MODELPACK_CONFIG = "application/vnd.cncf.model.config.v1+json"
CNAI_MANIFEST = "application/vnd.cnai.model.manifest.v1+json"
CNAI_CONFIG = "application/vnd.cnai.model.config.v1+json"
DOCKER_MODEL_PREFIX = "application/vnd.docker.ai.model.config."
OLLAMA_LAYER = "application/vnd.ollama.image."

COSIGN_SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION_SIGNATURE = "application/vnd.cncf.notary.signature"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

ACCEPT_MANIFESTS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
"""The Accept header for manifests: without it Distribution answers 404 for OCI manifests."""

REF_NAME = "org.opencontainers.image.ref.name"
CREATED = "org.opencontainers.image.created"
KIT_LAYER_SUBTYPE = "ml.kitops.modelkit.layer-subtype"
KIT_KITFILE = "ml.kitops.modelkit.kitfile"
MODEL_FILEPATH = "org.cncf.model.filepath"
CNAI_FILEPATH = "org.cnai.model.filepath"
MODEL_FILE_METADATA = "org.cncf.model.file.metadata+json"

MANIFEST_LIMIT = 8 * 1024 * 1024
"""Maximum bytes of a manifest to read."""
MANIFEST_WRITE_LIMIT = 4 * 1024 * 1024
"""Maximum bytes of a manifest to write (Distribution refuses more)."""
CONFIG_LIMIT = 4 * 1024 * 1024
"""Maximum bytes of a config blob to read."""
LAYERS_LIMIT = 10_000
"""Maximum layers of a manifest."""
