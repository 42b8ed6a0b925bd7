/* scale.h - what one count of the converter means on the board of this example.
 *
 * A divider brings 230 V (325 V peak) to 1,800 counts, a current transformer 60 A (85 A
 * peak) to the same.
 */
#ifndef MOULT_EXAMPLES_SCALE_H
#define MOULT_EXAMPLES_SCALE_H

#define METER_VOLTAGE_UV_PER_COUNT 180703u /* 230 V * sqrt 2 / 1800 */
#define METER_CURRENT_UA_PER_COUNT 47140u  /* 60 A * sqrt 2 / 1800 */

#endif
