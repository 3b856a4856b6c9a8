/* SPDX-License-Identifier: Apache-2.0 */
/* A plain main for a fuzz target: runs it once on each file that is named, or
 * is in a folder that is named, and so shows that old findings stay fixed.
 * Without arguments: its own corpus in the source tree. With libFuzzer, which
 * brings a main of its own, there is nothing here. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#ifndef YETT_FUZZ_ENGINE

#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>

static unsigned long
replay_file(const char *path)
{
	char *bytes = NULL;
	size_t n = 0, size = 0, got;
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	do {
		if (n == size) {
			size = size != 0 ? 2 * size : 4096;
			bytes = mem_realloc(bytes, size);
		}
		got = fread(bytes + n, 1, size - n, file);
		n += got;
	} while (got > 0);
	fclose(file);
	/* exactly as long as the input, for ASan */
	bytes = mem_realloc(bytes, n);
	LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
	free(bytes);
	return (1);
}

static unsigned long
replay(const char *path)
{
	unsigned long count = 0;
	struct dirent *entry;
	struct stat st;
	char *inside;
	DIR *folder;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return (replay_file(path));
	folder = opendir(path);
	if (folder == NULL) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		inside = mem_printf("%s/%s", path, entry->d_name);
		count += replay_file(inside);
		free(inside);
	}
	closedir(folder);
	return (count);
}

int
main(int argc, char **argv)
{
	const char *source = getenv("top_srcdir");
	const char *name = strrchr(argv[0], '/');
	unsigned long count = 0;
	char *corpus;
	int i;

	name = name != NULL ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	if (argc == 1) {
		corpus = mem_printf(
		    "%s/tests/fuzz/corpus/%s", source != NULL ? source : ".", name);
		count = replay(corpus);
		free(corpus);
	}
	for (i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%s: %lu inputs replayed\n", name, count);
	return (count > 0 ? 0 : 1);
}

#endif
