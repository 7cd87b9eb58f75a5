"""Vigie, the switch: a map of one page.

A datagram becomes a message, a message meets a transaction, a transaction informs a dialog, a dialog
moves a call, a call asks the policy once per destination, the decision yields ordered targets, a target
opens the second leg, and the end of the call writes the usage. The rooms are laid out in that order and
import downwards only (setup.cfg holds the contracts, the tests check them).

    step                                      room          first file to read
    ----------------------------------------  ------------  ---------------------------
    bytes come and go                         transport/    udp.py, stream.py
    the loop: wait, hand in, perform          driver.py
    a message arrives: who takes it           core.py       THE PAGE
    bytes <-> requests and responses          sip/          parser.py, message.py
    repeated, lost and crossing messages      transaction/  machines.py (the four tables)
    what two user agents share in a call      dialog/       dialog.py, offer_answer.py
    who is it                                 auth/         authenticator.py
    where is a phone                          registrar/    registrar.py (asked by call/registering.py)
    who calls, may they, where to             call/         incoming.py, then steps.py (the table)
      the rule that decides                   policy/       engine.py (beside the house)
      what it decides from                    facts/        snapshot.py
      where the decision leads                routing/      select.py, dialplan.py
      which carrier, in which state           trunk/        trunk.py
      the two legs                            call/         caller_leg.py, callee_leg.py, leg.py
      words for the caller                    media/        pool.py, worker.py (its own processes)
    minutes, thresholds, CDR                  usage/        meter.py, cdr.py
    adapters: their line, their firmware      provisioning/ service.py, fleet.py
    what survives a kill -9                   store/        journal.py; call/journal.py, restore.py

    beside the calls, after their datagrams have left:
    who is told, by mail, webhook or file     notice/       ledger.py, courier.py
    contracts, cases, clocks of the terms     terms/        contracts.py, ladders.py
    devices and their firmware                provisioning/ service.py; firmware_agent/ is the other side
    what operators see and do                 console/, observe/
    a carrier and phones to play with         demo/
    all of it put together                    config.py, app/

How it works, in four rules:

1. Machines do no I/O and read no clock. They get `now` (seconds of CLOCK_BOOTTIME) and append to an
   Outbox: journal records, datagrams, facts for observers. The driver performs these, in this order.
2. Nothing on the path of a call waits: no database, no DNS, no broker. What a decision needs is in
   memory, in values that are swapped whole.
3. State machines are tables: (state, event) -> row. What stands in no row is refused or absorbed.
4. Emergency comes first, everywhere: before authentication, limits, drain and overload.
"""
