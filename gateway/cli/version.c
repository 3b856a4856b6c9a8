/* SPDX-License-Identifier: Apache-2.0 */
/* yett version: what is linked in, and the known holes of the engine. */
#include "config.h"

#include <ares.h>
#include <brotli/decode.h>
#include <ev.h>
#include <getopt.h>
#include <jansson.h>
#include <maxminddb.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>
#include <zlib.h>
#include <zstd.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "gateway/base/buf.h"
#include "gateway/cli/cli.h"
#include "rules/holes.h"
#include "rules/waf.h"

static const char HELP[] =
    "usage: yett version\n"
    "\n"
    "Prints the versions of yett, its libraries and the rule set, and the known\n"
    "holes of the engine's version with what stands against them.\n";

static void
print_versions(void)
{
	const uint32_t brotli = BrotliDecoderVersion();
	char crs[64], pcre[64];

	if (!waf_crs_version("", crs, sizeof(crs)))
		snprintf(crs, sizeof(crs), "none found: apt-get install modsecurity-crs");
	pcre2_config(PCRE2_CONFIG_VERSION, pcre);
	printf("yett            %s\n", PACKAGE_VERSION);
	printf("libmodsecurity  %s\n", waf_engine_version());
	printf("rule set        %s\n", crs);
	printf("OpenSSL         %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
	printf("PCRE2           %s\n", pcre);
	printf("libev           %d.%d\n", ev_version_major(), ev_version_minor());
	printf("c-ares          %s\n", ares_version(NULL));
	printf("libyaml         %s\n", yaml_get_version_string());
	printf("jansson         %s\n", jansson_version_str());
	printf("libmaxminddb    %s\n", MMDB_lib_version());
	printf("zlib            %s\n", zlibVersion());
	printf("brotli          %u.%u.%u\n", brotli >> 24, brotli >> 12 & 0xfff,
	    brotli & 0xfff);
	printf("zstd            %s\n", ZSTD_versionString());
	printf("allocator       %s\n", YETT_ALLOCATOR);
}

int
cli_version(int argc, char **argv)
{
	struct text holes;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(HELP, stdout);
		return (CLI_OK);
	}
	if (argc > 1) {
		fprintf(stderr,
		    "yett version: unexpected argument: %s\n"
		    "try: yett version --help\n",
		    argv[1]);
		return (CLI_USAGE);
	}
	print_versions();
	text_init(&holes, 1u << 14);
	waf_holes(waf_engine_version(), &holes);
	printf("\n%.*s", SPAN_FMT(text_span(&holes)));
	text_free(&holes);
	return (CLI_OK);
}
