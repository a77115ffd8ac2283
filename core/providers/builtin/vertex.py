"""Google's Vertex AI: the models and the body of the Gemini API, under a project of Google Cloud.

Documents: the Gemini API's, and its SDK for what differs: the file format can be asked for. The key is the JSON document
of a service account; the project is the one that is in it. There is no upload, so references stay under 20 MB with
the rest of the request. The image models are served at the location `global`.

Lives and prices are Vertex AI's own. `gemini-3.1-flash-image` and `gemini-3-pro-image` end on 28 May 2027 and
`gemini-2.5-flash-image` on 15 March 2027 [Google Cloud's page of model versions, as the price map of litellm 1.110.2 has
it, November 2026]. That map has the prices at 1K, from Google Cloud's price page; of Nano Banana 2 the other sizes follow
from the tokens a picture that Google Cloud's page of the model gives (747, 1120, 1680, 2520, at $60 a million). The others
at 2K and 4K are not established here.
"""

from ...errors.messages import msg
from ..spec import ALL_RATIOS, RESOLUTIONS, SIZES, Endpoint, Field, Option, Price, ProviderSpec
from .google import COMMON, DRAFTS_FIELD, FIELDS, MINIMAL_HIGH, gemini_model

_NOTED = (msg("price_source.google_cloud_page"), "2026-11-27")
_MIME = Field("generationConfig.imageConfig.imageOutputOptions.mimeType", {"png": "image/png", "jpeg": "image/jpeg"})
_ENDPOINT = Endpoint(
    "/v1/projects/{project}/locations/global/publishers/google/models/{model}:generateContent",
    {**FIELDS, "output_format": _MIME},
    references_field="inlineData",
    drafts_field=DRAFTS_FIELD,
    stream_path="/v1/projects/{project}/locations/global/publishers/google/models/{model}:streamGenerateContent?alt=sse",
)
_COMMON: tuple[Option, ...] = (*COMMON, "output_format")

PROVIDER = ProviderSpec(
    id="vertex",
    label="Google Vertex AI",
    rank=20,
    dialect="gemini",
    base_url="https://aiplatform.googleapis.com",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    auth="google_service_account",
    shared_env_vars=("GOOGLE_APPLICATION_CREDENTIALS",),
    key_url="https://console.cloud.google.com/iam-admin/serviceaccounts",
    usage_url="https://console.cloud.google.com/billing",
    docs=(
        "https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/image-generation",
        "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/gemini/3-1-flash-image",
    ),
    checked="2026-11-27",
    endpoints={"generate": _ENDPOINT, "edit": _ENDPOINT},
    models=(
        gemini_model(
            "nano-banana-pro",
            "pro",
            "gemini-3-pro-image",
            SIZES,
            options=(*_COMMON, "web_search", "system_prompt"),
            drafts=True,
            price=Price({"1K": 0.134}, *_NOTED),
            note="ends on 28 May 2027",
        ),
        gemini_model(
            "nano-banana-2.1",
            "flash2.1",
            "gemini-nano-banana-2.1",
            SIZES,
            ratios=ALL_RATIOS,
            options=(*_COMMON, "web_search", "system_prompt", "thinking"),
            drafts=True,
            price=Price({"1K": 0.0336}, *_NOTED),
        ),
        gemini_model(
            "nano-banana-2",
            "flash",
            "gemini-3.1-flash-image",
            RESOLUTIONS,
            ratios=ALL_RATIOS,
            options=(*_COMMON, "web_search", "system_prompt", "thinking"),
            option_values=MINIMAL_HIGH,
            drafts=True,
            price=Price({"0.5K": 0.0448, "1K": 0.0672, "2K": 0.1008, "4K": 0.1512}, *_NOTED),
            note="ends on 28 May 2027; once it is gone, nano-banana-2.1 is asked",
            successor="nano-banana-2.1",
        ),
        gemini_model(
            "nano-banana-lite",
            "lite",
            "gemini-3.1-flash-lite-image",
            options=(*_COMMON, "system_prompt", "thinking"),
            option_values=MINIMAL_HIGH,
            drafts=True,
            price=Price({"1K": 0.0336}, *_NOTED),
            note="not made for several references",
        ),
        gemini_model(
            "nano-banana",
            "first",
            "gemini-2.5-flash-image",
            options=_COMMON,
            price=Price({"1K": 0.039}, *_NOTED),
            note="best with up to 3 references; ends on 15 March 2027, and nano-banana-lite is asked once it is gone",
            successor="nano-banana-lite",
        ),
    ),
    recommended="nano-banana-2.1",
    reference_encoding="base64",
    reference_formats=("webp", "png", "jpeg"),
    # Google Cloud's page of the model: 7 MB for one file inside the request.
    max_reference_bytes=7_000_000,
    # Half a megabyte of the 20 is for the words.
    max_request_bytes=19_500_000,
    conversations=True,
    # Of the 20 MB of a request; the rest is for the words and the new references.
    max_conversation_bytes=14_000_000,
)
