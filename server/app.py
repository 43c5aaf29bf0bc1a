"""Puts one instance together and fixes the order in which its parts start and stop."""

import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from handlers import READERS, SYSTEMS
from handlers.kit.context import Context
from handlers.kit.ids import new_id
from handlers.kit.kernel import Actor, EphemeralEvent, Kernel, Logged, Origin, Stored, Wake
from handlers.kit.keys import Keys
from handlers.kit.measures import Counted
from handlers.kit.registry import Registry, load_domains
from handlers.kit.rules import KitRules
from handlers.platform.auth.rules import AuthRules
from handlers.platform.identities.public import open_providers
from handlers.platform.previews.public import PublicWeb
from handlers.platform.send.mail import EMAIL, Mailer, to_folder
from handlers.platform.send.rules import SendRules
from handlers.platform.send.smtp import by_smtp
from rooms.bus import Bus, InProcessBus
from rooms.rooms import Rooms
from server.admission import Admission
from server.backfilling import Backfilling
from server.bodies import Bodies
from server.capacity import Capacity
from server.configured_limits import make_bounds, make_limits, make_replay_limits
from server.connection_admission import ConnectionAdmission
from server.connection_gate import ConnectionGate
from server.control import Control
from server.devices import Devices
from server.dispatch import Dispatcher
from server.domain_metrics import DomainMetrics
from server.drain import Drain
from server.heartbeat import Heartbeat, list_others
from server.housekeeping import Housekeeping
from server.http import build_web
from server.last_seen import LastSeen
from server.people import People
from server.places import Places
from server.registration import Registration
from server.rejections import Rejections
from server.relay import Relay, RetryPolicy
from server.resync import Resync
from server.sandbox.sandbox import Sandbox
from server.settings import Settings
from server.socket import Sockets
from server.systems import waiting_events
from server.telemetry import Metrics
from server.timers import Timers
from storage.engine.clock import Clock, SharedClock, SystemClock
from storage.engine.database import open_database
from storage.engine.migrate import migrate
from storage.events.epoch import get_epoch
from storage.events.log import Numbered
from storage.objects import ObjectStore
from storage.objects.folder import Folder

if TYPE_CHECKING:
    from rooms.redis_client import RedisClient

log = structlog.get_logger("app")


class App:
    """One instance of Parley."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.database = open_database(settings.database_url)
        self.clock = clock or (SharedClock() if self.database.shared else SystemClock())
        self.stopping = False
        # Exports, erasures and housekeeping cover all domains, also those not served here.
        self.all_domains: Registry = load_domains(SYSTEMS)
        self.registry = self.all_domains.serving(settings.systems)
        self.metrics = Metrics()
        environment = settings.environment
        self.bus, self._redis = join_instances(environment.redis_url)
        self.limits = make_limits(settings, self.all_domains.rates, self._redis)
        self.sandbox = Sandbox(self.metrics, READERS, self.limits)
        self.kernel = self._make_kernel()
        self.domain_metrics = DomainMetrics(self.kernel, self.all_domains, self.metrics)
        self.rejections = Rejections(self.metrics)
        self.capacity = Capacity(make_bounds(settings), settings.is_proxy)
        replays = make_replay_limits(settings)
        self.rooms = Rooms(self.database, self.bus, self.clock, replays)
        self.kernel.audience = Audience(self.rooms)
        self.registration = Registration(self.kernel, self.registry, self.metrics)
        tries = environment.consumer_tries
        retry_policy = RetryPolicy(tries, environment.consumer_backoff_s)
        self.relay = Relay(self.kernel, self.registry, self.metrics, retry_policy)
        self.backfilling = Backfilling(self.kernel, self.registry, self.metrics, tries)
        self.timers = Timers(self.kernel, waiting_events(settings.systems))
        self.admission = Admission(self.kernel)
        people = People()
        others = partial(list_others, self.kernel)
        cap = environment.sockets_per_person
        self.devices = Devices(self.kernel, people, cap, self._redis, others)
        self.gate = ConnectionGate(
            self.kernel,
            self.registry,
            self.rooms,
            self.admission,
            people,
            self.devices,
        )
        self.dispatcher = Dispatcher(self.kernel, self.registry, self.limits, self.metrics)
        arrivals = ConnectionAdmission(settings, self.capacity, self.limits, self.rejections)
        self.sockets = Sockets(settings, self.dispatcher, self.gate, self.metrics, arrivals)
        self.gate.end = self.sockets.end
        self.control = Control(self.gate)
        self.heartbeat = Heartbeat(self.kernel, self.sockets.cut_all)
        self._drain = Drain(self.sockets, others, environment.drain_s)
        self.housekeeping = Housekeeping(self.kernel, self.all_domains.retentions)
        self.last_seen = LastSeen(self.kernel, people)
        self.resync = Resync(self.kernel, self.registry, self.rooms)
        self.database.committed = self._committed
        self.database.waits.waited = self.metrics.database_waits.add
        self.bodies = Bodies(self.rejections)
        self.web = build_web(self)
        self.sockets.attach(self.web, self.bodies)

    def _make_kernel(self) -> Kernel:
        settings = self.settings
        keys = Keys(settings.secret())
        public_url = settings.rules.of(KitRules).public_url
        folder, mail = settings.mail_folder(), settings.rules.of(SendRules)
        carry = by_smtp(mail.mail_url) if folder is None else to_folder(folder)
        return Kernel(
            database=self.database,
            clock=self.clock,
            rules=settings.rules,
            keys=keys,
            hearers=self.all_domains.hearers(),
            roles=self.all_domains.roles,
            instance_id=new_id(self.clock.now()),
            channels={EMAIL: Mailer(carry, mail.mail_from, self.clock)},
            providers=open_providers(settings.rules),
            places=Places(settings.rules.of(AuthRules).places_file),
            pages=PublicWeb(f"Parley link previews (+{public_url})", self.sandbox),
            objects=make_objects(settings, keys),
            filter=settings.filter,
            personal_data=self.all_domains.personal_data,
            scratch=settings.data_dir,
            sandbox=self.sandbox,
            reported=self.metrics.reported,
        )

    async def start(self) -> None:
        """Start the parts, each after those it depends on; connections are accepted last."""
        await migrate(self.database)
        await self.database.start()
        fresh = str(uuid.uuid4())
        self.gate.epoch = await self.database.transact(lambda tx: get_epoch(tx, fresh))
        await self.kernel.objects.start()
        await self.rooms.start()
        if self._redis is not None:
            await self._redis.start()
        await self.devices.start()
        await self.control.start(self.rooms)
        await self.heartbeat.start()
        await self.registration.start()
        await self.relay.start()
        await self.backfilling.start()
        await self.timers.start()
        await self.housekeeping.start()
        await self.resync.start()
        await self.last_seen.start()
        await self.rejections.start()
        await self.sockets.start()
        log.info("started", instance=self.kernel.instance_id)

    async def drain(self) -> None:
        """Refuse new connections, and move the clients to the other instances."""
        self.stopping = True
        await self._drain.run()

    async def stop(self) -> None:
        """Stop the clients first, then the parts in reverse order; works after a failed start."""
        self.stopping = True
        await self.gate.stop()
        await self.sockets.stop()
        await self.rejections.stop()
        await self.last_seen.stop()
        await self.resync.stop()
        await self.housekeeping.stop()
        await self.heartbeat.stop()
        await self.timers.stop()
        await self.backfilling.stop()
        await self.relay.stop()
        await self.registration.stop()
        await self.devices.stop()
        if self._redis is not None:
            await self._redis.stop()
        await self.rooms.stop()
        await self.kernel.providers.stop()
        await self.kernel.pages.stop()
        await self.sandbox.stop()
        await self.kernel.objects.stop()
        await self.database.stop()
        log.info("stopped")

    def context(self, actor: Actor | None = None) -> Context:
        """A context without a socket, for the command line, the demo and tests."""
        return Context(self.kernel, actor, Origin())

    def _committed(self, effect: Any) -> None:
        """Carry out one effect of a committed transaction on this instance."""
        if isinstance(effect, Numbered):
            self._distribute(effect)
        elif isinstance(effect, Stored):
            self.metrics.events.add(effect.name)
        elif isinstance(effect, Counted):
            self.domain_metrics.count(effect)
        elif isinstance(effect, Logged):
            logger = structlog.get_logger(effect.logger)
            getattr(logger, effect.level)(effect.event, **effect.fields)
        elif isinstance(effect, Wake):
            self.relay.wake(effect)
            self.timers.wake(effect)
        elif isinstance(effect, EphemeralEvent):
            self.kernel.audience.publish_ephemeral(effect)  # type: ignore[union-attr]

    def _distribute(self, event: Numbered) -> None:
        self.control.committed(event)
        self.rooms.committed(event)


class Audience:
    """The operations on rooms that contexts may use."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def follow(
        self, socket: Any, stream_name: str, read: Callable[[], Awaitable[int]]
    ) -> Callable[[], None]:
        return await self._rooms.follow(socket, stream_name, read)

    def unfollow(self, socket: Any, stream_name: str) -> None:
        self._rooms.leave(socket, stream_name)

    async def listen(self, socket: Any, stream_names: list[str]) -> Callable[[], None]:
        return await self._rooms.ephemeral.listen(socket, stream_names)

    def publish_ephemeral(self, ephemeral: EphemeralEvent) -> None:
        self._rooms.ephemeral.publish(
            ephemeral.namespace,
            ephemeral.room,
            ephemeral.name,
            ephemeral.data,
            ephemeral.skip,
            ephemeral.hidden_from,
        )


def join_instances(redis_url: str) -> tuple[Bus, "RedisClient | None"]:
    """The connections to the other instances; the Redis library loads only if it is needed."""
    if not redis_url:
        return InProcessBus(), None
    from rooms.redis_bus import RedisBus
    from rooms.redis_client import RedisClient

    return RedisBus(redis_url), RedisClient(redis_url)


def make_objects(settings: Settings, keys: Keys) -> ObjectStore:
    """The store for files: a folder or an S3 bucket."""
    environment = settings.environment
    folder = settings.files_folder()
    if folder is not None:
        return Folder(folder, settings.rules.of(KitRules).public_url, keys.fingerprint)
    from storage.objects.s3 import Bucket  # its import takes a tenth of the startup time

    return Bucket(
        environment.files_url.removeprefix("s3://"),
        endpoint=environment.s3_endpoint,
        region=environment.s3_region,
        key_id=environment.s3_key_id,
        secret=environment.s3_secret,
    )
