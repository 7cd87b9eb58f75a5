"""The commands that a running switch takes on its Unix socket: names, arguments and results.

A use case is `f(args) -> result`, sync or async. `args` is a mapping that holds the keys below; those
marked ? may be absent or None. A result is anything orjson writes (dict, list, frozen dataclass,
StrEnum). It refuses by raising `CommandRefused(slug, sentence)`. Lists are oldest first; times are UTC
milliseconds (int), durations milliseconds; line ids are text.

status            {} -> {version, node, uptime_s, listening [str], lines_registered, calls_live,
                  trunks [{trunk, target, up, calls, reason}], near_threshold [line], alarms [str], draining}
explain.call      {line, dial, source_ip?, at? (UTC ms)} -> {class, action, reason, clause,
                  evidence {level, signals [{kind, value, says, age_s}]},
                  targets [{trunk, request_uri, headers, body_types}], announcement,
                  steps [{rule, verdict, because}]}
reg.list          {line?} -> [{line, contact, transport, remote, instance, q, expires_at, user_agent,
                  source}]
call.list         {line?} -> [{call_id, line, direction, src, dst, state, start, answer, duration_ms,
                  emergency}]; state: ringing, early, connected, ending
call.show         {call_id} -> the same, and legs [{leg, line or trunk, sip_call_id, state, remote,
                  codecs [str]}], steps [{at, what}]
call.hangup       {call_id} -> {call_id, state}; an emergency call is refused (slug emergency)
                  unless args has force true
cdr.list          {line?, since?, until?, limit?} -> [cdr], the fields of `Cdr`; since and until bound
                  `end`
line.list         {} -> [{line, number, account, state, registered, used_ms, threshold_ms}]
line.show         {line} -> {line, number, account, state, ground, site, location, permissions,
                  contacts [str], usage {as usage.show}, origins {key: "file:line" or "store"}}
line.suspend      {line, ground, by?} -> {line, state, ground, since}; ground cites the clause,
                  "2(k)(a)"; a line in that state already is refused (slug unchanged)
line.resume       {line, by?} -> the same
line.terminate    {line, ground?, by?} -> the same
usage.show        {line} -> {line, cycle {n, start, end}, used_ms, live_ms, by_direction, threshold_ms,
                  crossed [int], state}
emergency.log     {line?, since?} -> [{call_id, at, line, dialled, class, level, verdict, insee,
                  address_version, attempts [{trunk, profile, status, ms}]}]
notice.list       {line?} -> [{at, line, account, kind, percentage, clause, channel, state}]
config.check      {} -> {errors [{file, line, key, message}], tests {passed, failed [{file, line, key,
                  message}]}}; never refuses
config.diff       {} -> [{key, running, file, owner}]; owner "file" (apply would take it over) or
                  "store" (the file's value is initial only, apply leaves it)
config.apply      {} -> {applied, changed [key], kept [key], needs_restart [section]};
                  files with errors are refused (slug bad_config, the errors in the sentence) and the
                  running configuration stays
drain.start       {} -> {draining, calls_live}; new calls are refused, emergency calls never
drain.stop        {} -> the same
drain.status      {} -> the same
doctor            {} -> [{check, ok, detail, advice}]: what only the running switch can tell

Slugs of refusals beside those of call endings: unknown_command, bad_args, bad_config, unknown_call,
unchanged, emergency, not_running, store_unavailable, switch_error.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Args = Mapping[str, object]
UseCase = Callable[[Args], object | Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, its arguments, and where it can be carried out.

    `optional` arguments may be absent. `offline` commands also work from the files and the store,
    without a running switch; `local` ones always do, since they are about the caller's files.
    """

    name: str
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    offline: bool = False
    local: bool = False


def _command(
    name: str, required: str = "", optional: str = "", *, offline: bool = False, local: bool = False
) -> Command:
    return Command(name, frozenset(required.split()), frozenset(optional.split()), offline, local)


COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        _command("status"),
        _command("explain.call", "line dial", "source_ip at", offline=True),
        _command("reg.list", optional="line"),
        _command("call.list", optional="line"),
        _command("call.show", "call_id"),
        _command("call.hangup", "call_id", "force"),
        _command("cdr.list", optional="line since until limit", offline=True),
        _command("line.list", offline=True),
        _command("line.show", "line", offline=True),
        _command("line.suspend", "line ground", "by"),
        _command("line.resume", "line", "by"),
        _command("line.terminate", "line", "ground by"),
        _command("usage.show", "line", offline=True),
        _command("emergency.log", optional="line since", offline=True),
        _command("notice.list", optional="line", offline=True),
        _command("config.check", offline=True, local=True),
        _command("config.diff"),
        _command("config.apply"),
        _command("drain.start"),
        _command("drain.stop"),
        _command("drain.status"),
        _command("doctor"),
    )
}


class CommandRefused(Exception):  # noqa: N818 (a refusal is an answer, not an error)
    """A command that can't be carried out: a stable slug and a sentence for the person."""

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message


def checked(name: str, args: Args) -> None:
    """Refuse a command that doesn't exist or whose arguments are not its own."""
    command = COMMANDS.get(name)
    if command is None:
        raise CommandRefused("unknown_command", f"there is no command {name}")
    given = {key for key, value in args.items() if value is not None}
    if missing := command.required - given:
        raise CommandRefused("bad_args", f"{name} needs {', '.join(sorted(missing))}")
    if strange := given - command.required - command.optional:
        raise CommandRefused("bad_args", f"{name} doesn't know {', '.join(sorted(strange))}")
