noinst_LIBRARIES += rules/librules.a
rules_librules_a_SOURCES = \
	rules/advice.c rules/advice.h \
	rules/facts.c rules/facts.h \
	rules/holes.c rules/holes.h \
	rules/base.c \
	rules/body.c rules/body.h \
	rules/cut.c \
	rules/engine.c \
	rules/exclude.c rules/exclude.h \
	rules/internal.h \
	rules/policy.c \
	rules/scan.c rules/scan.h \
	rules/shim.h rules/shim_internal.hh \
	rules/shim_rules.cc rules/shim_txn.cc \
	rules/txn.c \
	rules/waf.h

# The shim is C++: a program of C files that links it takes the C++ driver.
WAF_TEST_LDADD = rules/librules.a gateway/http/libhttp.a gateway/base/libbase.a \
	$(MODSECURITY_LIBS) $(PCRE2_LIBS) -lstdc++ $(CMOCKA_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_advice tests/unit/test_facts tests/unit/test_waf \
	tests/unit/test_waf_crs4 tests/unit/test_waf_threads
endif
tests_unit_test_facts_SOURCES = tests/unit/test_facts.c
tests_unit_test_facts_LDADD = $(WAF_TEST_LDADD)
tests_unit_test_advice_SOURCES = tests/unit/test_advice.c
tests_unit_test_advice_LDADD = $(WAF_TEST_LDADD)
tests_unit_test_waf_SOURCES = tests/unit/test_waf.c tests/unit/waf_rig.c tests/unit/waf_rig.h
tests_unit_test_waf_LDADD = $(WAF_TEST_LDADD)
tests_unit_test_waf_crs4_SOURCES = tests/unit/test_waf_crs4.c tests/unit/waf_rig.c \
	tests/unit/waf_rig.h
tests_unit_test_waf_crs4_LDADD = $(WAF_TEST_LDADD)
EXTRA_DIST += \
	tests/unit/data/crs4/rules/REQUEST-901-INITIALIZATION.conf \
	tests/unit/data/crs4/rules/REQUEST-942-SQLI.conf \
	tests/unit/data/crs4/rules/REQUEST-949-BLOCKING-EVALUATION.conf
tests_unit_test_waf_threads_SOURCES = tests/unit/test_waf_threads.c tests/unit/waf_rig.c \
	tests/unit/waf_rig.h
tests_unit_test_waf_threads_LDADD = $(WAF_TEST_LDADD)

EXTRA_PROGRAMS += tests/bench/bench_waf
tests_bench_bench_waf_SOURCES = tests/bench/bench_waf.c tests/unit/waf_rig.c tests/unit/waf_rig.h
tests_bench_bench_waf_LDADD = rules/librules.a gateway/http/libhttp.a \
	gateway/base/libbase.a $(MODSECURITY_LIBS) $(PCRE2_LIBS) -lstdc++
