noinst_LIBRARIES += gateway/steps/libsteps.a
gateway_steps_libsteps_a_SOURCES = 
