"""What the nodes share for the life of the process: the journal, the concurrency limiter and what was learned."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .config.settings import Settings
from .custom_providers.added_models import with_added
from .custom_providers.providers_file import ProvidersFile, read_providers_file
from .custom_providers.settings_form import known_specs
from .errors import ConfigError, LedgerFailed, NanoBananaError
from .errors.messages import msg
from .execution import charge, conversations, key_verdicts
from .execution.balance import Balances
from .execution.call import Call
from .execution.concurrency import ConcurrencyLimiter
from .execution.image_task import ImageTask
from .execution.orders.order_book import OrderBook
from .execution.orders.order_cancel import Cancelled, cancel_elsewhere, cancel_own
from .execution.orders.order_reading import OrderReading
from .execution.provider_cache import ProviderCache
from .execution.recovery import Recovery
from .execution.run import Run
from .execution.run_state import RunServices
from .files import permissions
from .keys.resolver import KeyLookup
from .keys.store import KeyStore
from .ledger import RunContext
from .ledger.journal import Journal
from .ledger.postgres_address import PostgresAddress
from .ledger.storage.bucket_address import BucketAddress
from .ledger.turn_sweep import TurnSweep
from .planning.choice import ProviderChoice
from .planning.plan import Plan, Target
from .planning.resolver import ProviderResolver
from .providers import BUILT_IN
from .providers.spec import ProviderSpec
from .request import Request
from .request.conversation import Branch

log = logging.getLogger("nano_banana")


@dataclass(frozen=True)
class ReadAgain:
    """The result of reading a kept answer again."""

    images: int
    reason: str = ""
    """Why pictures are still missing; "" when none is."""


class Engine:
    """One per process.

    `home` is the data folder, `local_address` starts the offline simulator when it is first needed and gives its base
    URL. Both are handed in, because core imports neither ComfyUI nor the simulator.
    """

    def __init__(
        self,
        home: Path,
        local_address: Callable[[], str] | None = None,
        *,
        specs: Mapping[str, ProviderSpec] | None = None,
        store: KeyLookup | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        permissions.restrict_to_owner(home)
        self.home, self.keys, self.balances = home, KeyStore(home), Balances()
        self._local, self._specs, self._store, self._environ = local_address, specs, store or self.keys.get, environ
        self._cache = ProviderCache()
        settings = self.settings()
        self.ledger = Journal(
            home,
            settings.results_folder,
            decide_stalled=charge.decide_stalled_row,
            address=PostgresAddress.read(settings.environ),
            on_network=settings.on_network_drive,
            bucket=BucketAddress.read(settings.text("results"), settings.environ),
        )
        """The journal of the data folder, or of the farm that this process belongs to. The first access opens it."""
        self._limiter = ConcurrencyLimiter(self.ledger.shared_limits)
        self._cache.rate_limits.share(self.ledger.shared_limits)
        self.orders = OrderBook(self.ledger, self._cache, home / "orders")
        """The open orders of this process."""
        self.apply_limits()

    def apply_limits(self) -> None:
        """Takes the largest size of the results from the settings. One that makes no sense changes nothing."""
        try:
            self.ledger.limit_results(self.settings().results_bytes)
        except ConfigError as error:
            log.warning("%s %s", error.what, error.cure)

    def settings(self) -> Settings:
        """The settings as they are now."""
        return Settings.read(self.home, self._environ)

    def specs(self) -> Mapping[str, ProviderSpec]:
        """Every provider that a graph may name, the user's own included."""
        return self._known(self.settings(), self.providers_file())

    def providers_file(self) -> ProvidersFile:
        """What `providers.yaml` describes, and its errors."""
        return read_providers_file(self.home, BUILT_IN)

    def _known(self, settings: Settings, from_file: ProvidersFile) -> Mapping[str, ProviderSpec]:
        if self._specs is not None:
            return self._specs
        specs = known_specs(settings, from_file.specs)
        return {name: with_added(spec, settings) if name in BUILT_IN else spec for name, spec in specs.items()}

    def without_added_models(self, provider: str) -> ProviderSpec:
        """A built-in provider as the user's own file has it, without the models that were added in Settings."""
        return self.providers_file().specs.get(provider) or BUILT_IN[provider]

    def profiles(self) -> list[str]:
        """Names of stored keys, `default` first; of whichever provider."""
        try:
            names = {name for spec in self.specs() for name in self.keys.profiles(spec)}
        except ConfigError:  # reported where a key is needed
            names = set()
        return ["default", *sorted(names - {"default"})]

    def resolver(self) -> ProviderResolver:
        """The providers, settings and keys as they are now."""
        settings = self.settings()
        from_file = self.providers_file() if self._specs is None else ProvidersFile()
        return ProviderResolver(
            settings,
            self._known(settings, from_file),
            self._store,
            self._local,
            from_file.errors,
            gone=self._cache.removed_models,
        )

    def plan(self, choice: ProviderChoice | None, requests: Sequence[Request]) -> Plan:
        """Who will do `requests`. Raises ConfigError or Impossible; nothing was sent."""
        return self.resolver().plan(choice, requests)

    def plans(
        self, asked: Iterable[tuple[ProviderChoice | None, Sequence[Request]]]
    ) -> Iterator[Plan | NanoBananaError]:
        """A plan for each choice and its requests, or why there is none; for all of them with the settings as they are now."""
        resolver = self.resolver()
        for choice, requests in asked:
            try:
                yield resolver.plan(choice, requests)
            except NanoBananaError as error:
                yield error

    def examine_ended(self, tasks: Sequence[ImageTask]) -> None:
        """Keeps what the pictures of a run say about the keys that were used, and finds out which can still be fetched.

        Raises nothing: other pictures of the run are paid for.
        """
        key_verdicts.record(self.keys, tasks, self._label)
        try:
            resumable = self.ledger.resumable([task.uid for task in tasks if task.error and task.uid])
        except LedgerFailed as error:
            log.warning("%s", error.what)
            return
        for task in tasks:
            task.can_resume = task.uid in resumable

    def _label(self, provider: str) -> str:
        spec = self.specs().get(provider)
        return spec.label if spec else provider

    def api_variant(self, target: Target) -> str:
        """The API variant that a call begins with: that of the settings, else the last that worked; "" = the spec's first."""
        return target.api_variant or self._cache.api_variants.get(target.cache_key, "")

    def learned_variants(self, target: Target) -> dict[str, str]:
        """Topic -> variant that a call begins with, as learned at the base URL of `target`."""
        return self._cache.variants_at(target)

    def run(
        self,
        requests: Sequence[Request],
        plan: Plan,
        reference_format: str = "auto",
        run_context: RunContext | None = None,
        *,
        auto_notify: bool = True,
        wants_drafts: bool = False,
    ) -> Run:
        """Starts a run. `run_context`: the queueing and the graph it belongs to, else a run of its own. `auto_notify`,
        `wants_drafts`: see Run."""
        run_context = replace(run_context or RunContext(uuid.uuid4().hex), project=plan.terms.project)
        services = RunServices(self.ledger, self._limiter, self._cache, self.resolver().resumable_target, self.orders)
        run = Run(
            requests,
            plan,
            services,
            run_context,
            reference_format,
            auto_notify=auto_notify,
            wants_drafts=wants_drafts,
        )
        run.start()
        return run

    def read_again(self, uid: str) -> ReadAgain:
        """Reads the kept answer of a call once more, for the picture with this uid and those of the same call.

        Free: nothing is sent but what fetches a finished picture. Returns when it has ended.
        """
        claim = self.ledger.claim_answer(uid)
        if claim is None:
            return ReadAgain(0, msg("engine.no_kept_answer"))
        resolver = self.resolver()
        target = resolver.resumable_target(claim.provider, claim.profile, claim.address, claim.model)
        spec = resolver.specs.get(claim.provider)
        if target is None and spec is not None:
            # Reading needs no key: what has to be asked for at the provider then fails, and the answer stays.
            target = Target(spec, spec.models[0], claim.address, None, claim.profile)
        if target is None:
            self.ledger.mark_failed(
                [image.fingerprint for image in claim.images],
                charge.row_rule(charge.advance(charge.of_claim(claim.task), charge.AnswerUnread())),
                "unknown provider",
            )
            return ReadAgain(0, msg("engine.provider_no_longer_known", provider=claim.provider))
        if claim.delivery == "batch":
            reading = OrderReading(claim, target, self.ledger, self._cache)
            reading.run()
            found, worst = reading.stored, reading.outcome.first_error
        else:
            call = Call.resumed(claim, target, self.ledger, self._cache)
            call.detached = True
            call.run()
            found, worst = len(call.outcome.images), call.outcome.first_error
        return ReadAgain(found, worst.reason if worst else "")

    def branch_after(self, task: ImageTask) -> Branch:
        """What a conversation goes on from after a finished task."""
        return conversations.branch_after(self.ledger, task)

    def branch_of(self, content: str) -> Branch | None:
        """What a conversation goes on from at a stored picture, given by the SHA-256 of its bytes; None where it isn't here."""
        found = self.ledger.of_content(content)
        with_turn = (stored for stored in found if self.ledger.turns.read(stored.file, stored.uid) is not None)
        stored = next(with_turn, found[0] if found else None)
        try:
            return conversations.stored_branch(self.ledger, stored) if stored else None
        except (OSError, ValueError) as error:
            log.warning("the picture %s can't be read: %s", content, type(error).__name__)
            return None

    def cancel_order(self, order: str) -> Cancelled | None:
        """Cancels an order; None where no picture of one with that id is still to come. Waits for its end for some seconds.

        Raises ConfigError where its key is not here.
        """
        found = self.orders.find(order)
        if found is None and self.ledger.open_orders(order):
            self.recover(however_old=True)  # perhaps no process waits for it
            found = self.orders.find(order)
        if found is not None:
            return cancel_own(found)
        for entry in self.ledger.open_orders(order):
            resolver = self.resolver()
            target = resolver.resumable_target(entry.provider, entry.profile, entry.address, entry.model)
            if target is None:
                raise resolver.missing_key_error(resolver.specs[entry.provider], entry.profile)
            return cancel_elsewhere(entry, target, self._cache)
        return None

    def sweep(self, pause: Callable[[], None]) -> None:
        """Deletes what killed processes have left of conversations, at most once a week. `pause`: a minute or so."""
        try:
            count = TurnSweep(self.ledger.database, self.ledger.results, self.ledger.turns).run_if_due(pause)
        except (OSError, LedgerFailed) as error:
            log.debug("what was left of conversations was not deleted: %s", error)
            return
        if count:
            log.info("%d turns of pictures that never arrived were deleted", count)

    def recover(self, *, however_old: bool = False) -> Recovery:
        """Fetches pictures that were paid before this process began, with free requests only. Returns at once.

        `however_old`: the user has asked for it; otherwise calls that are older than some days are left alone.
        """
        self.orders.poke()
        self.orders.delete_old_files()
        return Recovery(self.ledger, self._limiter, self._cache, self.resolver(), self.orders, however_old=however_old)
