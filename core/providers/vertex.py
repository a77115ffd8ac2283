"""Google's Vertex AI: the models and the body of the Gemini API, under a project of Google Cloud.

Documents: the Gemini API's, and its SDK for what differs: the file format can be asked for. The key is the JSON document
of a service account; the project is the one that stands in it. There is no upload, so references stay under 20 MB with
the rest of the request. The image models are served at the location `global`. Prices: not established for Vertex AI.
"""

from dataclasses import replace

from .google import FIELDS, MODELS
from .row import Field, Model, Offer, Option, Provider, Route

_FIELDS: dict[Option, Field] = FIELDS | {
    "output_format": Field(
        "generationConfig.imageConfig.imageOutputOptions.mimeType", {"png": "image/png", "jpeg": "image/jpeg"}
    )
}
_ROUTE = Route(
    "/v1/projects/{project}/locations/global/publishers/google/models/{model}:generateContent",
    _FIELDS,
    references="inlineData",
)


def _with_format(offer: Offer | None) -> Offer | None:
    return replace(offer, options=offer.options | {"output_format"}) if offer else None


def _here(model: Model) -> Model:
    return replace(model, generate=_with_format(model.generate), edit=_with_format(model.edit), price=None)


PROVIDER = Provider(
    id="vertex",
    label="Google Vertex AI",
    dialect="gemini",
    base_url="https://aiplatform.googleapis.com",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    auth="google_service_account",
    borrowed_variables=("GOOGLE_APPLICATION_CREDENTIALS",),
    key_url="https://console.cloud.google.com/iam-admin/serviceaccounts",
    docs=("https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/image-generation",),
    checked="2026-11-21",
    routes={"generate": _ROUTE, "edit": _ROUTE},
    models=tuple(_here(model) for model in MODELS),
    recommended="nano-banana-2.1",
    references="base64",
    reads=("webp", "png", "jpeg"),
    max_reference_bytes=14_000_000,
    # Half a megabyte of the 20 is for the words.
    max_request_bytes=19_500_000,
)
