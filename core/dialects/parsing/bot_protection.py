"""Recognises answers of what is in front of a provider's API: bot protection, challenges, web application firewalls.

Such an answer says nothing about the key or the request: the API never saw them. Known by a header or by marks in the
page. Sources: Cloudflare's page on detecting challenge responses and AWS's on CAPTCHA and Challenge actions (both read on
27 November 2026); public descriptions of Imperva's and Akamai's block pages; the marks of the others, and Cloudflare's
1xxx codes, are from common knowledge of such pages and from nobody's document.

    Cloudflare   `cf-mitigated: challenge`; "Just a moment...", "Attention Required!"; `error code: 1020` as text or JSON
    AWS WAF      `x-amzn-waf-action: challenge` (202) or `captcha` (405); a page of CloudFront that says "Request blocked"
    Akamai       "Access Denied" with a reference at errors.edgesuite.net
    Imperva      "Incapsula incident ID", also with HTTP 200
    DataDome     `x-datadome`, or an address at captcha-delivery.com, also as JSON
    others       Vercel's checkpoint, HUMAN (PerimeterX), Sucuri, Alibaba Cloud
"""

from __future__ import annotations

import re

from ...errors import Kind
from ..base.step import Reply

_LOOKED_AT = 16_000
_STATUSES = frozenset({200, 202, 401, 403, 405, 406, 429, 503})
"""With which such pages come; a 5xx page of Cloudflare is about the server behind it."""
_MARKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "Cloudflare",
        re.compile(
            r"(?i)<title>\s*(just a moment|attention required)|_cf_chl_opt|cf-chl-|checking your browser before accessing"
            r"|used cloudflare to restrict access|performance (and|&amp;|&) security by cloudflare"
        ),
    ),
    (
        "AWS WAF",
        re.compile(r"(?i)awswaf\.com|awsWafCookieDomainList|gokuProps|request blocked\..{0,400}cloudfront", re.S),
    ),
    (
        "Akamai",
        re.compile(r"(?i)errors\.edgesuite\.net|you don't have permission to access[^<]{0,400}on this server", re.S),
    ),
    ("Imperva", re.compile(r"(?i)incapsula incident id|_incapsula_resource|imperva")),
    ("DataDome", re.compile(r"(?i)captcha-delivery\.com|datadome")),
    ("Vercel", re.compile(r"(?i)vercel security checkpoint")),
    ("HUMAN", re.compile(r"(?i)px-captcha|perimeterx|access to this page has been denied")),
    ("Sucuri", re.compile(r"(?i)sucuri website firewall")),
    ("Alibaba Cloud", re.compile(r"(?i)acw_sc__v|errors\.aliyun\.com")),
    (
        "",
        re.compile(r"(?i)verify (that )?you are (a )?human|are you a robot|enable javascript and cookies to continue"),
    ),
)
_HEADERS: tuple[tuple[str, str, str], ...] = (
    ("cf-mitigated", "", "Cloudflare"),
    ("x-amzn-waf-action", "", "AWS WAF"),
    ("x-vercel-mitigated", "", "Vercel"),
    ("x-datadome", "protected", "DataDome"),
    ("server", "akamaighost", "Akamai"),
    ("x-iinfo", "", "Imperva"),
)
"""Header, its value or "" for any, the vendor. The last three come with every answer of such a host: they count on a page."""
_ON_PAGES_ONLY = frozenset({"x-datadome", "server", "x-iinfo"})
_CLOUDFLARE_CODE = re.compile(
    r"(?i)^\s*error code: (1\d{3})\s*$|cf-error-code\W{1,3}(1\d{3})|<title>[^<]{0,120}\berror (1\d{3})\b"
    r"|\"error_code\": ?(1\d{3})\b"
)
_CLOUDFLARE_KINDS: dict[str, Kind] = {"1009": "region", "1015": "rate"}
"""Of Cloudflare's 1xxx errors those that are no bot protection: a banned country, and a rate limit. 1016 and others that
name the server behind it aren't taken here."""
_CLOUDFLARE_BLOCKS = frozenset({"1005", "1006", "1007", "1008", "1010", "1011", "1012", "1013", "1020", "1106"})


def protection_of(reply: Reply) -> tuple[Kind, str] | None:
    """What in front of the API answered, as a kind and the sentence for it; None for an answer of the API itself."""
    if reply.status not in _STATUSES:
        return None
    page = reply.body[:_LOOKED_AT].decode("utf-8", "replace")
    is_page = _is_page(reply, page)
    found = _CLOUDFLARE_CODE.search(page) if reply.status not in (200, 202) else None
    if found and (is_page or page.lstrip()[:10].lower() == "error code" or '"cloudflare_error"' in page):
        code = next(filter(None, found.groups()))
        if code in _CLOUDFLARE_KINDS:
            return _CLOUDFLARE_KINDS[code], ""
        if code in _CLOUDFLARE_BLOCKS:
            return "bot_protection", _sentence(f"Cloudflare, error {code}")
    for name, value, vendor in _HEADERS:
        header = reply.headers.get(name, "").lower()
        if header and value in header and (is_page or name not in _ON_PAGES_ONLY):
            if name in _ON_PAGES_ONLY and reply.status not in (403, 405, 406):
                continue
            return "bot_protection", _sentence(vendor)
    if not is_page:
        return ("bot_protection", _sentence("DataDome")) if "captcha-delivery.com" in page[:2000] else None
    for vendor, marks in _MARKS:
        if marks.search(page):
            return "bot_protection", _sentence(vendor)
    if reply.status == 403:
        # The API answers with JSON: whatever made this page, the API did not look at the key.
        return "bot_protection", (
            "Something in front of {label} (bot protection or a firewall) turned the request away with a web page{status}; "
            "the key was not looked at."
        )
    return None


def _is_page(reply: Reply, text: str) -> bool:
    """Whether a reply is a web page."""
    if text.lstrip()[:1] in ("{", "["):
        return False
    return "text/html" in reply.headers.get("content-type", "").lower() or bool(
        re.match(r"(?i)\s*(<!doctype html|<html|<head|<!--|<title|<body|<h1)", text)
    )


def _sentence(vendor: str) -> str:
    named = f" ({vendor})" if vendor else ""
    return (
        f"The bot protection in front of {{label}}{named} turned the request away{{status}}; the key was not looked at."
    )
