/* id.c - the line that repeats a run: CONFIG:STORY:CUT:FAULT:SEED. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/power/power.h"

void power_id(unsigned config, unsigned story, const struct power_schedule *schedule,
              char out[POWER_ID_MAX])
{
    char cuts[48] = "none", faults[64] = "none";
    size_t cuts_size = 0, faults_size = 0;
    for (unsigned i = 0; i < schedule->cut_count && !schedule->is_deep; i++) {
        const struct power_cut *cut = &schedule->cuts[i];
        const char *join = i > 0 ? "+" : "";
        cuts_size += (size_t)snprintf(cuts + cuts_size, sizeof cuts - cuts_size, "%s%u",
                                      join, (unsigned)cut->after);
        faults_size += (size_t)snprintf(faults + faults_size, sizeof faults - faults_size,
                                        "%s%s", join, power_faults[cut->fault].name);
    }
    snprintf(out, POWER_ID_MAX, "%s:%s:%s:%s:%llu", power_configs[config].name,
             power_stories[story].name, schedule->is_deep ? "deep" : cuts,
             schedule->is_deep ? "any" : faults, (unsigned long long)schedule->seed);
}

bool power_find_config(const char *name, unsigned *out)
{
    for (*out = 0; *out < power_config_count; (*out)++) {
        if (strcmp(power_configs[*out].name, name) == 0) { return true; }
    }
    return false;
}

bool power_find_story(const char *name, unsigned *out)
{
    for (*out = 0; *out < power_story_count; (*out)++) {
        if (strcmp(power_stories[*out].name, name) == 0) { return true; }
    }
    return false;
}

static bool find_fault(const char *name, uint8_t *out)
{
    for (unsigned i = 0; i < power_fault_count; i++) {
        *out = (uint8_t)i;
        if (strcmp(power_faults[i].name, name) == 0) { return true; }
    }
    return false;
}

static bool parse_cuts(char *cuts, char *faults, struct power_schedule *out)
{
    char *rest_of_cuts = NULL, *rest_of_faults = NULL;
    if (strcmp(cuts, "none") == 0) { return true; }
    char *cut = strtok_r(cuts, "+", &rest_of_cuts);
    char *fault = strtok_r(faults, "+", &rest_of_faults);
    for (; cut && fault; out->cut_count++) {
        if (out->cut_count == POWER_CUTS_MAX) { return false; }
        struct power_cut *to = &out->cuts[out->cut_count];
        to->after = (uint32_t)strtoul(cut, NULL, 10);
        if (to->after == 0 || !find_fault(fault, &to->fault)) { return false; }
        cut = strtok_r(NULL, "+", &rest_of_cuts);
        fault = strtok_r(NULL, "+", &rest_of_faults);
    }
    return !cut && !fault;
}

bool power_parse_id(const char *text, unsigned *config, unsigned *story,
                    struct power_schedule *schedule)
{
    char copy[POWER_ID_MAX], *rest = NULL;
    if (strlen(text) >= sizeof copy) { return false; }
    memcpy(copy, text, strlen(text) + 1);
    char *part[5];
    part[0] = strtok_r(copy, ":", &rest);
    for (unsigned i = 1; i < 5; i++) {
        part[i] = part[i - 1] ? strtok_r(NULL, ":", &rest) : NULL;
    }
    *schedule = (struct power_schedule){0};
    if (!part[4]) { return false; }
    uint64_t seed = strtoull(part[4], NULL, 10);
    if (strcmp(part[2], "deep") == 0) {
        power_deep_schedule(seed, config, story, schedule);
        return true;
    }
    schedule->seed = seed;
    return power_find_config(part[0], config) && power_find_story(part[1], story) &&
           power_applies(*config, *story) && parse_cuts(part[2], part[3], schedule);
}
