/* SPDX-License-Identifier: Apache-2.0 */
/* geo/continent.h - continents by the two letters that databases use for them,
 * and the continent of a country. Pure functions. */
#ifndef YETT_GEO_CONTINENT_H
#define YETT_GEO_CONTINENT_H

#include <stdint.h>

/* AF AN AS EU NA OC SA; 0 is none of them. */
#define CONTINENT_UNKNOWN 0
uint8_t continent_of_code(const char code[2]);
/* Of an ISO 3166-1 country, and of XK (Kosovo). As GeoNames counts: Russia and
 * Cyprus are in Europe, Turkey and the Caucasus in Asia. */
uint8_t continent_of_country(const char country[2]);
/* "EU"; "unknown" for 0. */
const char *continent_text(uint8_t continent);

#endif
