/* SPDX-License-Identifier: Apache-2.0 */
/* Continents and their countries. */
#include "config.h"

#include "geo/continent.h"

#include <stddef.h>

static const struct {
	const char *code, *countries;
} CONTINENTS[] = {
	{ "unknown", "" },
	{ "AF", "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE "
		"KM LR "
		"LS LY MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD "
		"TG TN "
		"TZ UG YT ZA ZM ZW " },
	{ "AN", "AQ BV GS HM TF " },
	{ "AS", "AE AF AM AZ BD BH BN BT CC CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR "
		"KW KZ "
		"LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN "
		"YE " },
	{ "EU", "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU "
		"IE IM "
		"IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM "
		"UA VA "
		"XK " },
	{ "NA", "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY "
		"LC MF "
		"MQ MS MX NI PA PM PR SV SX TC TT US VC VG VI " },
	{ "OC", "AS AU CK CX FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV "
		"UM VU "
		"WF WS " },
	{ "SA", "AR BO BR CL CO EC FK GF GY PE PY SR UY VE " },
};
#define N_CONTINENTS (sizeof(CONTINENTS) / sizeof(CONTINENTS[0]))

uint8_t
continent_of_code(const char code[2])
{
	unsigned i;

	for (i = 1; i < N_CONTINENTS; i++)
		if (CONTINENTS[i].code[0] == code[0] && CONTINENTS[i].code[1] == code[1])
			return ((uint8_t)i);
	return (CONTINENT_UNKNOWN);
}

uint8_t
continent_of_country(const char country[2])
{
	const char *p;
	unsigned i;

	for (i = 1; i < N_CONTINENTS; i++)
		for (p = CONTINENTS[i].countries; *p != '\0'; p += 3)
			if (p[0] == country[0] && p[1] == country[1])
				return ((uint8_t)i);
	return (CONTINENT_UNKNOWN);
}

const char *
continent_text(uint8_t continent)
{
	return (CONTINENTS[continent < N_CONTINENTS ? continent : 0].code);
}
