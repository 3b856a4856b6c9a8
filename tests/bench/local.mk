# tests/bench: `make bench` puts Yett beside its peers; see bench.py
EXTRA_DIST += tests/bench/bench.py tests/bench/bodies.py tests/bench/cached.py \
	tests/bench/compressed.py tests/bench/limits.py tests/bench/memory.py
BENCH = waf,proxy,cache
BENCH_FLAGS =
bench_allocators = tcmalloc mimalloc system

bench: all
	@case "$(BENCH)" in *allocator*) $(MAKE) $(AM_MAKEFLAGS) bench-builds;; esac
	@set --; case "$(BENCH)" in *allocator*) \
	for a in $(bench_allocators); do set -- "$$@" --binary $$a=bench-build/$$a/yett; done;; esac; \
	/usr/bin/python3 $(srcdir)/tests/bench/bench.py --yett ./yett --what $(BENCH) \
	    --json bench.json $(BENCH_FLAGS) "$$@"

# One build for each allocator; only the link and one constant differ.
bench-builds:
	@for a in $(bench_allocators); do \
		$(MKDIR_P) bench-build/$$a && (cd bench-build/$$a && \
		{ test -f Makefile || $(abs_top_srcdir)/configure --quiet --with-allocator=$$a; } && \
		$(MAKE) $(AM_MAKEFLAGS) yett) || exit 1; \
	done

clean-local: clean-bench
clean-bench:
	-rm -rf bench-build bench.json

.PHONY: bench bench-builds clean-bench
