/* flow.h - what the states of the session share: one function per state, and how things go
 * wrong.
 *
 * Layer    device, private.
 */
#ifndef MOULT_DEVICE_FLOW_H
#define MOULT_DEVICE_FLOW_H

#include "device/src/journal.h"
#include "device/src/session_states.h"
#include "formats/codes.h"
#include "moult/log.h"
#include "moult/session.h"

/* One function per state: does one bounded piece of work and returns the next state. A
 * state that has to wait sets wait_until_ms (moult_wait_until) and returns itself. phase is
 * 0 on entry. */
#define X(name, waits, next) enum moult_state moult_state_##name(struct moult_session *s);
MOULT_STATES(X)
#undef X

/* A read that fails is made again at once: what is missing when a device starts decides
 * what it takes itself for. */
enum { MOULT_READ_TRIES_MAX = 3 };

/* --- waiting (session.c) --- */

enum { MOULT_POLL_MS = 20 }; /* between two looks at a request under way */

void moult_wait_until(struct moult_session *s, uint64_t at_ms);
/* After `ms` milliseconds, 0 at once. */
void moult_wait_for(struct moult_session *s, uint32_t ms);
/* Uniform in [0, bound]; the middle when the entropy source is dead (timing only, never
 * secrets). */
uint32_t moult_jitter(struct moult_session *s, uint32_t bound);
/* The boot's random id, half of every report's key; stays 0 without entropy. */
void moult_draw_boot_id(struct moult_session *s);
/* Unix seconds by trusted time; 0: none in this boot. */
uint64_t moult_now_s(const struct moult_session *s);

/* --- trouble (trouble.c) --- */

/* A line for the port's log, if it has one: an id of log.h, or a detail. */
void moult_note(struct moult_session *s, enum moult_log_level level, uint16_t id,
                uint32_t a, uint32_t b);

/* Note and log what went wrong; the reason is the detail's own, or the given one. */
void moult_trouble(struct moult_session *s, enum moult_detail detail, int32_t native);
void moult_trouble_as(struct moult_session *s, enum moult_detail detail,
                      enum moult_reason reason, int32_t native);

/* Something could not be stored and the flow goes on all the same (each caller says why
 * that is safe): logged. Nothing when status is MOULT_OK. */
void moult_unstored(struct moult_session *s, enum moult_status status);

/* Each of these reports s->trouble and returns IDLE.
 *
 * refuse  steps 2 to 5, before the assignment is believed. An event, told once until an
 *         assignment is accepted. Nothing that survives changes.
 * fail    the deployment ends here; told once per deployment and detail. The plan stays.
 * tell    something else about the deployment (not now; it runs already), told once.
 * drop    as fail, and the plan ends: the target slot can no longer boot. */
enum moult_state moult_flow_refuse(struct moult_session *s);
enum moult_state moult_flow_fail(struct moult_session *s);
enum moult_state moult_flow_tell(struct moult_session *s, enum moult_report_kind kind);
enum moult_state moult_flow_drop(struct moult_session *s);

/* Remember s->trouble as told of the deployment in force: it was, before a reset. */
void moult_flow_was_told(struct moult_session *s, enum moult_report_kind kind);

/* The attempt ends here, the plan and its progress stay for a new order: counts it, then as
 * fail. */
enum moult_state moult_flow_give_up(struct moult_session *s);

/* No source is left for s->trouble (transfer.c): give up, drop, or begin another round. */
enum moult_state moult_sources_used_up(struct moult_session *s);

/* End the plan: erase the target's first sector, then journal that there is none. Harmless
 * without a plan. False: could not be journalled; tried again at the next boot. */
bool moult_plan_end(struct moult_session *s);

/* A trial was lost and the old image runs, plan.verdict says why: tell it, count it against
 * the release, end the plan; each harmless to repeat. False: the store refused one of them;
 * to be tried again before anything else is begun. */
bool moult_verdict_settle(struct moult_session *s);

/* --- flash (slot.c) --- */

/* The running slot as it is; the target as it will be, with the bytes held back in place.
 * */
struct moult_reader moult_running_reader(struct moult_session *s);
struct moult_reader moult_target_reader(struct moult_session *s);

/* Whether there is a plan whose target may be written: not the running slot, and large
 * enough. The target of a component's plan is its staging area, else it is the slot. */
bool moult_has_target(const struct moult_session *s);
/* Whether the plan is of the application, and its first 32 bytes are held back. */
bool moult_is_app(const struct moult_session *s);

/* Erase the slot's first sector, whatever the target is: nothing boots it then. Returns as
 * moult_target_erase(). */
MOULT_MUST_CHECK enum moult_status moult_slot_disarm(struct moult_session *s);

/* Erase the target's sector at offset; read back. MOULT_OK; MOULT_E_IO with trouble.native
 * set. */
MOULT_MUST_CHECK enum moult_status moult_target_erase(struct moult_session *s,
                                                      uint32_t offset);

/* Program size bytes at offset (both multiples of 32, one sector) and compare what is read
 * back.
 * MOULT_OK; MOULT_E_IO: refused (trouble.native); MOULT_E_DIGEST: reads back otherwise. */
MOULT_MUST_CHECK enum moult_status moult_target_program(struct moult_session *s,
                                                        uint32_t offset,
                                                        const uint8_t *data, uint32_t size);

/* --- policy (policy.c), step 6 and the gates of steps 11, 12 and 16 --- */

enum moult_gate { MOULT_GATE_OPEN, MOULT_GATE_CLOSED, MOULT_GATE_ENDED };

/* Block list, attempts and deadline. OPEN; ENDED: refused for good, trouble says why. */
enum moult_gate moult_policy_admits(struct moult_session *s, const uint8_t release[32],
                                    const uint8_t deployment[16]);

/* Windows of `use`, battery, signal, and pause. OPEN; CLOSED: not now, trouble says why;
 * ENDED: the deadline has passed. */
enum moult_gate moult_policy_gate(struct moult_session *s, uint8_t use);

/* The application and its user. OPEN; CLOSED: later; ENDED: no. */
enum moult_gate moult_policy_ask(struct moult_session *s, const struct moult_offer *offer,
                                 enum moult_report_kind *kind);

/* The offer of a plan, under the policy in force. */
struct moult_offer moult_policy_offer(const struct moult_session *s,
                                      const struct moult_plan *plan);

/* --- second check (recheck.c), step 15 --- */

/* Far apart in every bit pattern, so that no single flipped bit, nor a register full of
 * zeros or ones, turns a refusal into a pass. */
#define MOULT_RECHECK_PASS 0x3ca5965au
#define MOULT_RECHECK_FAIL 0xc35a69a5u

/* Verifies the stored statements and the plan against each other again. Anything but
 * MOULT_RECHECK_PASS is a refusal. Uses work, reply (unless the assignment is in force) and
 * scratch. */
uint32_t moult_recheck(struct moult_session *s);

/* --- trial (trial.c) --- */

void moult_trial_begin(struct moult_session *s);
/* Whether what runs is PENDING in otadata: any reset brings the other image back. */
bool moult_is_unconfirmed(struct moult_session *s);
/* Runs what is due; returns CONFIRM or ROLLBACK when the trial ends, else the present
 * state. */
enum moult_state moult_trial_tick(struct moult_session *s);

#endif
