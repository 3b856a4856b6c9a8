/* SPDX-License-Identifier: Apache-2.0 */
/* Engine settings and the few rules that belong to the engine rather than to a
 * rule set. Sizes are the gateway's business: it never hands the engine more
 * than the policy's `inspect`, so the engine gets no limits of its own that
 * would make it drop bytes in silence. JSON and XML are told by the media type
 * in C, not by rules 200000 and 200001. The ids are those of libmodsecurity's
 * recommended configuration, which operators know. */
#include "config.h"

#include "rules/internal.h"

const char waf_base_settings[] =
    "SecRuleEngine On\n"
    "SecRequestBodyAccess On\n"
    "SecResponseBodyAccess On\n"
    "SecRequestBodyJsonDepthLimit 128\n"
    "SecXmlExternalEntity Off\n"
    "SecArgumentSeparator &\n"
    "SecCookieFormat 0\n"
    "SecAuditEngine Off\n"
    "SecDefaultAction \"phase:1,log,auditlog,pass\"\n"
    "SecDefaultAction \"phase:2,log,auditlog,pass\"\n"
    "SecRule REQBODY_ERROR \"!@eq 0\" \"id:200002,phase:2,t:none,log,deny,status:400,"
    "severity:2,msg:'The request body could not be parsed: %{REQBODY_ERROR_MSG}'\"\n"
    "SecRule MULTIPART_STRICT_ERROR \"!@eq 0\" \"id:200003,phase:2,t:none,log,deny,"
    "status:400,severity:2,msg:'The multipart body is not strictly well formed: "
    "PE %{REQBODY_PROCESSOR_ERROR}, BQ %{MULTIPART_BOUNDARY_QUOTED}, "
    "BW %{MULTIPART_BOUNDARY_WHITESPACE}, DB %{MULTIPART_DATA_BEFORE}, "
    "DA %{MULTIPART_DATA_AFTER}, HF %{MULTIPART_HEADER_FOLDING}, "
    "LF %{MULTIPART_LF_LINE}, SM %{MULTIPART_MISSING_SEMICOLON}, "
    "IQ %{MULTIPART_INVALID_QUOTING}, IP %{MULTIPART_INVALID_PART}, "
    "IH %{MULTIPART_INVALID_HEADER_FOLDING}'\"\n"
    "SecRule MULTIPART_UNMATCHED_BOUNDARY \"@eq 1\" \"id:200004,phase:2,t:none,log,"
    "deny,status:400,severity:2,msg:'The multipart body may hold a boundary that "
    "does not match'\"\n"
    "SecRule TX:/^MSC_/ \"!@streq 0\" \"id:200005,phase:2,t:none,log,deny,status:400,"
    "severity:2,msg:'The engine reached a limit: %{MATCHED_VAR_NAME}'\"\n";
