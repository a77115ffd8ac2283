"""providers.yaml in a real host: a custom provider can be chosen and makes pictures, an error is reported with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pack.tests.host.kit import Bench

YAML = """\
providers:
  shop:
    label: The Shop
    dialect: openai_images
    base_url: {address}
    models:
      nano-banana-pro: {{wire: nano-banana-2, family: pro, resolutions: [1K, 2K], price: {{1K: 0.011, 2K: 0.022}}}}
  broken: {{dialect: smoke}}
overlays:
  onerouter: {{models: {{nano-banana-2: {{price: {{1K: 0.5}}}}}}}}
  fal: {{models: {{banana-9: {{wire: fal-ai/nano-banana-2, price: 0.07}}}}}}
  kie: {{max_parallel: 8}}
"""


def test_the_providers_file_takes_effect(fresh: Callable[..., Bench], doubles: Any, tmp_path: Path, tag: str) -> None:
    """Offered by the node, sent to its address with its key, priced as the file says; the rest works on."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "providers.yaml").write_text(YAML.format(address=doubles.base_url("nanobanana")), "utf-8")
    before = (home / "providers.yaml").read_bytes()
    bench = fresh(doubles, {"NANO_BANANA_HOME": str(home), "NANO_BANANA_SHOP_API_KEY": "sim-shop-key"})
    offered = bench.host.get("/object_info/ProviderConfig")["ProviderConfig"]["input"]["optional"]
    assert "shop" in str(offered["provider"]) and "broken" not in str(offered["provider"])
    assert "banana-9" in str(offered["model"]), "the picker has the models of all providers"
    ran = bench.generate(tag, "shop", resolution="2K")
    assert ran.status == "success", ran.error
    assert ran.info()["provider"] == "shop" and ran.info()["cost_usd"] == 0.022
    (asked,) = bench.asked(tag)
    assert asked["provider"] == "nanobanana" and asked["fields"]["image_size"] == "2K"
    refused = bench.generate(f"{tag} broken", "broken")
    assert "providers.yaml line 8: dialect is one of" in refused.refusal
    dear = bench.generate(f"{tag} overlay", "onerouter", resolution="1K")
    assert dear.info()["cost_usd"] == 0.5
    new = bench.generate(f"{tag} new", "fal", config={"model": "banana-9"})
    assert new.status == "success", new.error
    assert new.info()["cost_usd"] == 0.07
    (asked,) = bench.asked(f"{tag} new")
    assert asked["route"].endswith("fal-ai/nano-banana-2")
    mistakes = bench.host.get("/nano_banana/providers")["mistakes"]
    assert len(mistakes) == 2 and any("line 12: kie is changed in nothing here" in each for each in mistakes)
    assert (home / "providers.yaml").read_bytes() == before, "the file is the user's"
