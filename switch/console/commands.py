"""The commands that a running switch takes on its Unix socket: names, arguments and results.

A use case is `f(args) -> result`, sync or async. `args` is a mapping that holds the keys below; those
marked ? may be absent or None. A result is anything orjson writes (dict, list, frozen dataclass,
StrEnum). It refuses by raising `CommandRefused(slug, sentence)`. Lists are oldest first; times are UTC
milliseconds (int), durations milliseconds; line ids are text.

status            {} -> {version, node, uptime_s, listening [str], lines_registered, calls_live,
                  trunks [{trunk, target, up, calls, reason}], near_threshold [line], alarms [str], draining}
explain.call      {line, dial, source_ip?, at? (UTC ms)} -> {line, dialled, source_ip, class, action,
                  reason, clause, evidence {level, signals [{kind, value, says, age_s, max_age_s,
                  counts, source}]}, destination, location {insee, version, civic},
                  targets [{trunk, request_uri, headers, body_types}], announcement,
                  steps [{rule, verdict, because}]}
reg.list          {line?} -> [{line, contact, transport, remote, instance, q, expires_at, user_agent,
                  source, level}]; level: the evidence E0-E5 of the phone's place
call.list         {line?} -> [{call_id, line, direction, src, dst, state, start, answer, duration_ms,
                  emergency}]; state: ringing, early, connected, ending
call.show         {call_id} -> the same, and legs [{leg, line or trunk, sip_call_id, state, remote,
                  codecs [str]}], steps [{at, what}]
call.hangup       {call_id} -> {call_id, state}; an emergency call is refused (slug emergency)
                  unless args has force true
cdr.list          {line?, since?, until?, limit?} -> [cdr], the fields of `Cdr`; since and until bound
                  `end`; the newest 1,000 unless limit says otherwise (0 = all)
line.list         {} -> [{line, number, account, state, location, registered, used_ms, threshold_ms}]
line.show         {line} -> {line, number, account, state, ground, plan, contract {ends?, warned_at?,
                  cure_by?, channels?, blocked?}, site, location, permissions,
                  contacts [str], whereabouts {place, abroad, moved_in_fr, declared, device_report,
                  networks}, usage {as usage.show}, origins {key: "file:line" or "store"}}
account.list      {} -> [{account, name, email, lines, billing_starts, terms}]
account.show      {account} -> {account, name, email, mail {at, state, kind, reason}? (the last one), siret,
                  vat, time_zone, activation_requested, billing_starts, cycle {n, start, end}, terms
                  {version, accepted_at, by, how}, changes [{about, version, told_at, effective,
                  may_leave_until?}], lines [{line, number, state, ground, ends?, warned_at?, cure_by?}]}
account.accept    {account, version, hash, by, source?} -> {account, terms}; hash: SHA-256 of the text
account.announce  {about ("terms" or "prices"), version, effective, account?, noticed?, harmless?, because?,
                  by?} -> [{account, changes}]: one that harms is refused (not_allowed) before a month has
                  passed from its notice
account.claim     {account, amount, due, paid?} -> {account, amount, due, until, interest, costs, total,
                  clause}; without the ECB's rate of a half-year: no_rate
account.terminate {account, way, noticed?, warned?, cure_by?, asked_by?, because?, by?} -> [as line.terminate,
                  or {line, state, refused}]: every line of it that isn't terminated yet
line.activate     {line, because?, by?} -> {line, state, ground, since, ends? {way, told_at, effective_at},
                  warned_at?, cure_by?, channels?, blocked?}; without terms, location, mail or a free
                  number: not_allowed
line.suspend      {line, ground, warned?, asked_by?, because?, by?} -> the same; ground cites the clause,
                  "2(k)(a)", "2(i)", or "4(e)" with a warning on file or the date of one; a line in
                  that state already is refused (slug unchanged)
line.resume       {line, because?, by?} -> the same, warnings? [str]
line.terminate    {line, ground?, way?, now?, noticed?, warned?, cure_by?, asked_by?, because?, by?} -> the
                  same; way is one of policy.transitions (without one: convenience), dates are YYYY-MM-DD; one
                  with notice is told now and takes effect on its day, and is refused with now true; what the
                  terms don't allow is refused (not_allowed)
line.warn         {line, about ("unpaid" or "breach"), cure_by?, amount?, due?, because?, by?} -> the same;
                  with an amount the customer reads what it has grown by
line.settle       {line, because?, by?} -> the same; warnings and notices on file serve no more
line.withdraw     {line, because?, by?} -> the same; takes a termination back before its day
line.limit        {line, channels?, because?, by?} -> the same; fewer calls at once, without channels the
                  file's limit again
line.block        {line, number, lift?, because?, by?} -> the same; a number that the line may not call
line.stolen       {line, asked_by?, because?, by?} -> the same
line.history      {line} -> [{at, line, account, name, actor, by, clause, because, before, to, until, way,
                  notice}]: every step, oldest first
line.rio          {line, check?} -> {line, number, rio, state, fits?}; fits tells of a RIO to check
line.locate       {line, site? | insee? | none?, civic? {element: text}, why?, by?} -> {line, state, version,
                  insee, civic, address, site, source, at, by, why, confirmed_at, confirmed_by, reminded
                  [day], warnings [str]}; an address that doesn't fit its code is refused (invalid_address)
line.confirm      {line, by?} -> the same; refused without a validated address (unvalidated)
line.locations    {line} -> [the same and number]: every version, oldest first
line.declare      {line, country?, until? (UTC ms), clear?, by?} -> {line, and the whereabouts of
                  line.show}; clear true takes back what was declared
usage.show        {line} -> {line, cycle {n, start, end}, used_ms, live_ms, adjusted_ms, by_direction,
                  threshold_ms, crossed [int], state}; adjusted_ms is the part of corrections
usage.adjust      {line, ms (may be negative), reason, by?} -> {id, line, cycle, ms, reason, by, used_ms};
                  a sum below 0 is refused (slug below_zero)
usage.import      {rows [{line, answer, end}], source?, by?} -> {lines [{line, calls, ms, added_ms}],
                  quarantined [{row, reason}]}; the same rows again add 0
usage.rate        {line, since?, until?, back?} -> {line, back, classes [{class, calls, counted_ms, rated_s,
                  euros}], euros, without_tariff [class]}; the per-minute plan's calls that ended in the
                  span; back true: all plans', of a terminated line only (not_allowed)
usage.corrections {line} -> [{at, line, cycle, ms, reason, by, id}]
emergency.log     {line?, since?, until?} -> [{call_id, at, line, dialled, class, level, verdict,
                  insee, address_version, attempts [{trunk, profile, status, ms}]}]
emergency.show    {call_id} -> all of the record: sip_call_ids, number, account, state, source_ip,
                  signals [{kind, value, says, age_s, max_age_s, counts, source}], contradictions,
                  rule, rules_version, clause, heard [{announcement, ms, key}], override, ending;
                  callbacks, notices [{kind, audience, channel, state}], chain {seq, hash}
emergency.verify  {head? "SEQ:HASH"} -> {ok, rows, purged, broken_at, head {seq, hash}}
emergency.export  {line?, since?, until?} -> {rows [as in the chain], head {seq, hash}}
emergency.test    {line, dial? (18), source_ip?} -> the fields of explain.call, and ready, location
                  {.., validated, confirmed}, targets [{trunk, profile, shortfall, transport, remote,
                  octets, request_uri, body_types, headers [[name, value]]}], trunks [{trunk,
                  transport, remote, answers, status,
                  answer_ms, reason}], weak [{slug, text}]; no call is placed
emergency.routes.check   {path} -> {errors [{line, message}], entries, communes, numbers [{number, communes,
                  departements, centres}], unknown_insee [str]}; never refuses
emergency.routes.diff    {path, max_shrink?} -> {compared_with, added, removed, changed, lost_share,
                  lost_departements, refusal, removed_first [str], changed_first [str]}
emergency.routes.import  {path, max_shrink?, by?} -> {version, entries, and what diff tells}; refused with
                  slug routes_shrink, bad_routes or unchanged: the table in force stays
emergency.routes.show    {} -> {version, digest, imported_at, by, source, kept [version], problem, and what
                  check tells}; {number, insee} -> {version, number, insee, long_number}
case.list         {line?} -> [{case, line, account, cycle, rung, since, deadline, next}]: open ones
case.show         {case} -> the same, and contacted, usage_normal, used_ms, last_7_days_ms, threshold_ms,
                  may_decide [str], steps [{at, rung, happening, by, clause, because}], features [{at,
                  detector, use, level, values, calls, looks_like}], calls [{call_id, start, direction,
                  src, dst, counted_ms}], notices [{at, kind, percentage, audience, channel, state}]
case.decide       {case, decision, by, because?} -> the same as case.list shows; decision: notify,
                  contacted, dismiss, approve, terminate; one that doesn't apply is refused (not_allowed)
emergency.report  {} -> {at, lines, ready, feed_version, without_address, unconfirmed, moved,
                  not_in_service, not_acknowledged, trunks, summary}: lists of what is to be mended
emergency.feed    {since?, by?} -> {version, hash, at, since, changed, rows [{operation, number, line,
                  ...}]}: the whole feed, or what changed after a version
emergency.feed_ack {version, lines? | answers [{number, version, accepted, reason?}], by?} ->
                  {accepted, refused, stale, unknown [number]}
disclosure.list   {} -> [{id, at, did, by, because, seal, line, since, until, classes, ground, reference,
                  asked_by, stage, approved_by}]: the last step of each request
disclosure.request {line, since, until, classes "identity,traffic,location", ground, reference, by} -> one
disclosure.approve {id, by, because?} -> one; who asked can't, and nobody twice (not_allowed)
disclosure.refuse {id, by, because?} -> one
disclosure.export {id, by} -> {id, seal, text}; once, after two approvals; seal is the text's SHA-256
device.list       {} -> [{id, line, model, version, target, rollout_state, online, sip_registered, state,
                  history [{at, state, version}]}]; state: unclaimed, claimed, quarantined, tampered,
                  stolen, replaced, decommissioned; rollout_state: of the device's update (FIRMWARE states)
device.show       {device} -> the same, and serial, certificate, claimed_at, applied_rev, desired_rev,
                  secret_gen, location_gen, emergency_ready, network, mos, firmware, story [{at, kind,
                  state, version, detail}]
device.claim      {device, key?, by?} -> {device, cid, secret, broker, service_key, tuf_root}: opens a claim,
                  also of a device that was claimed before; key: its public key (base64), else the file's
device.make       {device, by?} -> {device, factory}: the same with new keys, and the file for its box
device.replace    {device, with, by?} -> device.show of the new one, which takes the line over
device.stolen     {device, by?} -> as device.list; its line is stolen, too
device.wipe       {device, by?} -> the same: forget everything, and out of service for good
device.clear      {device, by?} -> the same: a person decided that it is neither tampered nor cloned
device.rotate     {device, by?} -> the same: another SIP secret; both count until it is used
device.log        {device} -> [{at, kind, state, version, detail}]: everything, from the database
firmware.list     {} -> [{model, version, security_version, sha256, bytes, deltas, signed}]
firmware.add      {path, model, version, security_version?} -> the same, of one that isn't signed yet
firmware.sign     {keys} -> {signed [target]}; keys: the directory of the offline keys
firmware.work     {} -> {what, done, total}: how far one of these two is; what: "" when none is under way
firmware.plan     {model, version, rollout?, canaries?, stages?, soak_s?, min_sample?, max_failure_rate?,
                  failure_budget?, max_under_way?, deadline_s?, window?, starts_at?, expires_at?, by?} -> as
                  firmware.status
firmware.move     {rollout, event, why?, by?} -> the same; event: start, pause, resume, abort, roll_back
firmware.status   {rollout?} -> [{rollout, model, version, state, stage, stages, since, why, by, devices,
                  reached, pending, under_way, confirmed, failed, failures [{device, step, detail}]}]
outage.list       {line?, since?} -> [{id, line, account, since, until, cause, told_at, reason, by, because}];
                  cause: keep_alive, expired, connection, will; until null while it lasts
outage.explain    {id, reason, because?, by?} -> one; reason: internet, power, hardware, maintenance, carrier,
                  force_majeure
notice.list       {line?} -> [{at, line, account, kind, percentage, clause, channel, state}]
config.check      {} -> {errors [{file, line, key, message}], warnings [the same], tests {passed,
                  failed [the same]}}; never refuses
config.diff       {} -> [{key, running, file, owner, needs_restart}]; owner "file" (apply would take
                  it over) or "store" (the file's value is initial only, apply leaves it)
config.apply      {} -> {applied, changed [key], kept [key], needs_restart [section]};
                  files with errors are refused (slug bad_config, the errors in the sentence) and the
                  running configuration stays
config.rollback   {} -> {applied, changed [key], needs_restart [section]}: what was in force before;
                  the files stay as they are (slug no_earlier)
drain.start       {} -> {draining, calls_live}; new calls are refused, emergency calls never
drain.stop        {} -> the same
drain.status      {} -> the same
doctor            {} -> [{check, ok, detail, advice}]: what only the running switch can tell

Slugs of refusals beside those of call endings: unknown_command, bad_args, bad_config, unknown_call,
unchanged, emergency, not_running, not_here (devices are another node's), store_unavailable, switch_error.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Args = Mapping[str, object]
UseCase = Callable[[Args], object | Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, its arguments, and where it can be carried out.

    `optional` arguments may be absent. `offline` commands also work from the files and the store,
    without a running switch; `local` ones always do, since they are about the caller's files. `records`
    ones show what the database holds: what happened before the command has to be in it. `slow` ones may
    take minutes.
    """

    name: str
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    offline: bool = False
    local: bool = False
    records: bool = False
    slow: bool = False


def _command(name: str, required: str = "", optional: str = "", **where: bool) -> Command:
    return Command(name, frozenset(required.split()), frozenset(optional.split()), **where)


COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        _command("status"),
        _command("explain.call", "line dial", "source_ip at", offline=True),
        _command("reg.list", optional="line"),
        _command("call.list", optional="line"),
        _command("call.show", "call_id"),
        _command("call.hangup", "call_id", "force"),
        _command("cdr.list", optional="line since until limit", offline=True, records=True),
        _command("line.list", offline=True),
        _command("line.show", "line", offline=True),
        _command("account.list", offline=True),
        _command("account.show", "account", offline=True, records=True),
        _command("account.accept", "account version hash by", "source"),
        _command(
            "account.announce", "about version effective", "account noticed harmless because by"
        ),
        _command("account.claim", "account amount due", "paid", offline=True),
        _command("account.terminate", "account way", "noticed warned cure_by asked_by because by"),
        _command("line.activate", "line", "because by"),
        _command("line.suspend", "line ground", "warned asked_by because by"),
        _command("line.resume", "line", "because by"),
        _command(
            "line.terminate", "line", "ground way now noticed warned cure_by asked_by because by"
        ),
        _command("line.warn", "line about", "cure_by amount due because by"),
        _command("line.settle", "line", "because by"),
        _command("line.withdraw", "line", "because by"),
        _command("line.limit", "line", "channels because by"),
        _command("line.block", "line number", "lift because by"),
        _command("line.stolen", "line", "asked_by because by"),
        _command("line.history", "line", offline=True, records=True),
        _command("line.rio", "line", "check"),
        _command("line.declare", "line", "country until clear by"),
        _command("line.locate", "line", "site insee civic none why by"),
        _command("line.confirm", "line", "by"),
        _command("line.locations", "line", offline=True, records=True),
        _command("usage.show", "line", offline=True),
        _command("usage.adjust", "line ms reason", "by"),
        _command("usage.import", "rows", "source by"),
        _command("usage.rate", "line", "since until back", offline=True, records=True),
        _command("usage.corrections", "line", offline=True, records=True),
        _command("emergency.report", offline=True),
        _command("emergency.feed", optional="since by"),
        _command("emergency.feed_ack", optional="version lines answers by"),
        _command("emergency.log", optional="line since until", offline=True, records=True),
        _command("emergency.show", "call_id", offline=True, records=True),
        _command("emergency.verify", optional="head", offline=True, records=True),
        _command("emergency.export", optional="line since until", offline=True, records=True),
        _command("emergency.test", "line", "dial source_ip"),
        _command("emergency.routes.check", "path", offline=True),
        _command("emergency.routes.diff", "path", "max_shrink", offline=True),
        _command("emergency.routes.import", "path", "max_shrink by", offline=True),
        _command("emergency.routes.show", "", "number insee", offline=True),
        _command("case.list", optional="line", records=True),
        _command("case.show", "case", records=True),
        _command("case.decide", "case decision by", "because"),
        _command("disclosure.list", offline=True, records=True),
        _command("disclosure.request", "line since until classes ground reference by"),
        _command("disclosure.approve", "id by", "because"),
        _command("disclosure.refuse", "id by", "because"),
        _command("disclosure.export", "id by"),
        _command("device.list"),
        _command("device.show", "device"),
        _command("device.claim", "device", "key by"),
        _command("device.make", "device", "by"),
        _command("device.replace", "device with", "by"),
        _command("device.stolen", "device", "by"),
        _command("device.wipe", "device", "by"),
        _command("device.clear", "device", "by"),
        _command("device.rotate", "device", "by"),
        _command("device.log", "device", offline=True, records=True),
        _command("firmware.list"),
        _command("firmware.add", "path model version", "security_version", slow=True),
        _command("firmware.sign", "keys", slow=True),
        _command("firmware.work"),
        _command(
            "firmware.plan",
            "model version",
            "rollout canaries stages soak_s min_sample max_failure_rate failure_budget "
            "max_under_way deadline_s window starts_at expires_at by",
        ),
        _command("firmware.move", "rollout event", "why by"),
        _command("firmware.status", optional="rollout"),
        _command("outage.list", optional="line since", offline=True, records=True),
        _command("outage.explain", "id reason", "because by", records=True),
        _command("notice.list", optional="line", offline=True, records=True),
        _command("config.check", offline=True, local=True),
        _command("config.diff"),
        _command("config.apply"),
        _command("config.rollback"),
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
