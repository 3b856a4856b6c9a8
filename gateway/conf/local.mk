noinst_LIBRARIES += gateway/conf/libconf.a
gateway_conf_libconf_a_SOURCES = \
	gateway/conf/answers.h \
	gateway/conf/checks.c \
	gateway/conf/conf.h \
	gateway/conf/controls.h \
	gateway/conf/document.c \
	gateway/conf/document.h \
	gateway/conf/field.c \
	gateway/conf/field.h \
	gateway/conf/files.c \
	gateway/conf/files.h \
	gateway/conf/finish.c \
	gateway/conf/finish_answer.c \
	gateway/conf/finish_control.c \
	gateway/conf/load.c \
	gateway/conf/policy.h \
	gateway/conf/pools.h \
	gateway/conf/problem.c \
	gateway/conf/problem.h \
	gateway/conf/reader.c \
	gateway/conf/reader.h \
	gateway/conf/reference.c \
	gateway/conf/reference.h \
	gateway/conf/redis_url.c \
	gateway/conf/rows.h \
	gateway/conf/schema.c \
	gateway/conf/settle.c \
	gateway/conf/settle.h \
	gateway/conf/store.c \
	gateway/conf/store.h \
	gateway/conf/tables.c \
	gateway/conf/tables.h \
	gateway/conf/tables_answer.c \
	gateway/conf/tables_control.c \
	gateway/conf/tables_policy.c \
	gateway/conf/tables_pool.c \
	gateway/conf/tables_site.c \
	gateway/conf/value.c \
	gateway/conf/value.h

if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/test_conf \
	tests/unit/test_conf_answer \
	tests/unit/test_conf_control \
	tests/unit/test_conf_files \
	tests/unit/test_conf_reference \
	tests/unit/test_conf_value
endif
CONF_RIG = tests/unit/conf_rig.c tests/unit/conf_rig.h
CONF_TEST_LIBS = gateway/conf/libconf.a gateway/base/libbase.a $(YAML_LIBS) $(CMOCKA_LIBS)
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c $(CONF_RIG)
tests_unit_test_conf_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_answer_SOURCES = tests/unit/test_conf_answer.c $(CONF_RIG)
tests_unit_test_conf_answer_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_control_SOURCES = tests/unit/test_conf_control.c $(CONF_RIG)
tests_unit_test_conf_control_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_files_SOURCES = tests/unit/test_conf_files.c
tests_unit_test_conf_files_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_reference_SOURCES = tests/unit/test_conf_reference.c
tests_unit_test_conf_reference_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_value_SOURCES = tests/unit/test_conf_value.c
tests_unit_test_conf_value_LDADD = $(CONF_TEST_LIBS)
EXTRA_DIST += tests/unit/data/contract.yaml
