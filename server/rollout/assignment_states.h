/* assignment_states.h - one device's way through one rollout, as data.
 *
 * Layer    server/rollout: pure.
 * Page     docs/design/rollout-engine.md shows the same tables; the test walks every cell.
 *
 * From these tables come the enums, the words in API and log, the step function and the
 * test.
 */
#ifndef MOULT_SERVER_ROLLOUT_ASSIGNMENT_STATES_H
#define MOULT_SERVER_ROLLOUT_ASSIGNMENT_STATES_H

/* name, stored number (never renumber), word, outcome, clock.
 * Numbers 1..9 hold the device's single slot: the store's unique index counts on it.
 * outcome  OPEN: not decided. SUCCESS and FAILURE are counted by gates; NEUTRAL is not.
 * clock    which time limit runs in this state (assignment.h, struct assignment_limits). */
#define ASSIGNMENT_STATES(X)                                                               \
    X(PLANNED, 1, "planned", OPEN, NONE)                                                   \
    X(OFFERED, 2, "offered", OPEN, OFFER)                                                  \
    X(AWAITING_CONSENT, 3, "awaiting_consent", OPEN, NONE)                                 \
    X(DOWNLOADING, 4, "downloading", OPEN, DOWNLOAD)                                       \
    X(WRITTEN, 5, "written", OPEN, STALL)                                                  \
    X(VERIFIED, 6, "verified", OPEN, STALL)                                                \
    X(REBOOTING, 7, "rebooting", OPEN, SILENT)                                             \
    X(TRIAL, 8, "trial", OPEN, TRIAL)                                                      \
    X(SOAKING, 9, "soaking", OPEN, SOAK)                                                   \
    X(CONFIRMED, 10, "confirmed", SUCCESS, NONE)                                           \
    X(STAGED, 11, "staged", SUCCESS, NONE)                                                 \
    X(ROLLED_BACK, 12, "rolled_back", FAILURE, NONE)                                       \
    X(FAILED, 13, "failed", FAILURE, NONE)                                                 \
    X(SILENT, 14, "silent", FAILURE, NONE)                                                 \
    X(SUPERSEDED, 15, "superseded", NEUTRAL, NONE)                                         \
    X(CANCELLED, 16, "cancelled", NEUTRAL, NONE)

/* What can happen, and where it leads from each state; __ is ignored (a duplicate, or too
 * late). The same state again means: accepted, its clock is renewed.
 *
 * Only what a check-in's running digest proves (SAW_*) leaves Rb (rebooting) towards
 * success; no report does. Forward reports may skip states: those in between were lost. */
/* clang-format off */
#define ASSIGNMENT_EVENTS(X)                                                              \
    /* event          Pl  Of  Co  Do  Wr  Ve  Rb  Tr  So  Cf  St  Ro  Fa  Si  Su  Ca */   \
    X(GRANT,          Of, __, __, __, __, __, __, __, __, __, __, __, __, __, __, __)     \
    X(ALREADY,        Cf, Cf, __, __, __, __, __, __, __, __, __, __, __, __, __, __)     \
    X(WITHDRAW,       __, Pl, Pl, __, __, __, __, __, __, __, __, __, __, __, __, __)     \
    X(CONSENT,        Co, Co, Co, __, __, __, __, __, __, __, __, __, __, __, __, __)     \
    X(PROGRESS,       Do, Do, Do, Do, __, __, __, __, __, __, __, __, __, __, __, __)     \
    X(WRITTEN,        Wr, Wr, Wr, Wr, Wr, __, __, __, __, __, __, __, __, __, __, __)     \
    X(VERIFIED,       Ve, Ve, Ve, Ve, Ve, Ve, __, __, __, __, __, __, __, __, __, __)     \
    X(STAGED,         St, St, St, St, St, St, __, __, __, __, __, __, __, __, __, __)     \
    X(REBOOTING,      Rb, Rb, Rb, Rb, Rb, Rb, __, __, __, __, __, __, __, __, __, __)     \
    X(SAW_NEW_TRIAL,  Tr, Tr, Tr, Tr, Tr, Tr, Tr, Tr, So, __, __, __, __, Tr, __, __)     \
    X(SAW_NEW_VALID,  So, So, So, So, So, So, So, So, So, __, __, __, __, So, __, __)     \
    X(SAW_OLD,        __, __, __, __, __, __, Ro, Ro, Ro, __, __, __, __, Ro, __, __)     \
    X(SAW_OTHER,      __, __, __, __, __, __, Fa, Fa, Fa, __, __, __, __, __, __, __)     \
    X(ROLLED_BACK,    Ro, Ro, Ro, Ro, Ro, Ro, Ro, Ro, Ro, __, __, Ro, __, Ro, __, __)     \
    X(FAILED,         Fa, Fa, Fa, Fa, Fa, Fa, Fa, Fa, Fa, __, __, __, __, __, __, __)     \
    X(TIMEOUT,        __, Pl, __, Fa, Fa, Fa, Si, Si, Si, __, __, __, __, __, __, __)     \
    X(SOAKED,         __, __, __, __, __, __, __, __, Cf, __, __, __, __, __, __, __)     \
    X(CANCEL,         Ca, Ca, Ca, Ca, Ca, Ca, __, __, __, __, __, __, __, __, __, __)     \
    X(SUPERSEDE,      Su, Su, Su, Su, Su, Su, __, __, __, __, __, __, __, __, __, __)     \
    X(LOST,           Ca, Ca, Ca, Ca, Ca, Ca, Ca, Ca, Ca, __, __, __, __, __, __, __)     \
    X(RETRY,          __, __, __, __, __, __, __, __, __, __, __, Pl, Pl, Pl, __, __)
/* clang-format on */

#endif
