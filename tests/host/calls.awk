# Reads include/nse.h and writes calls.h: every function and every struct of it as a table, for programs that call all of them with
# whatever they like. A type that is not known here stops it, so no function is left out silently.

function fail(what) {
    print "calls.awk: " what > "/dev/stderr"
    failed = 1
    exit 1
}

# One letter for what an argument or a field is:
#   h handle   H place for a handle   e place for an error   t text   s struct   S array of handles   b buffer   n whole number
#   d number   o place for numbers   a numbers   f function   u pointer of the host   D tensor of DLPack
function kind(type, base) {
    base = type
    sub(/^const /, "", base)
    if (type == "nse_error **") return "e"
    if (base ~ /^nse_[a-z_]+ \*\*$/) { sub(/ \*\*$/, "", base); return base in opaque ? "H" : "" }
    if (base ~ /^nse_[a-z_]+ \*const \*$/) { sub(/ \*const \*$/, "", base); return base in opaque ? "S" : "" }
    if (type == "nse_buffer *") return "b"
    if (type == "const char *") return "t"
    if (type ~ /^(struct )?DLManagedTensorVersioned \*$/) return "D"
    if (base ~ /^nse_[a-z_]+ \*$/) { sub(/ \*$/, "", base); return base in opaque ? "h" : base in structs ? "s" : "" }
    if (type ~ /^nse_[a-z_]+_fn$/) return "f"
    if (type ~ /^(const )?void \*$/) return "u"
    if (type ~ /^const (double|float|u?int(8|16|32|64)_t|size_t) \*$/) return "a"
    if (type ~ /^(double|float|u?int(8|16|32|64)_t|size_t) \*$/) return "o"
    if (type ~ /^(double|float)$/) return "d"
    if (type ~ /^(u?int(8|16|32|64)_t|size_t|nse_status)$/) return "n"
    return ""
}

# "const nse_space *space" to declared_type and declared_name.
function declare(text) {
    gsub(/^ +| +$/, "", text)
    if (!match(text, /[a-z_0-9]+$/)) fail("no name in " text)
    declared_name = substr(text, RSTART)
    declared_type = substr(text, 1, RSTART - 1)
    sub(/ +$/, "", declared_type)
}

function bare(type) {
    gsub(/^const |^struct | \*.*$/, "", type)
    return type
}

# How the value of a kind is passed.
function passed(type, letter, at) {
    if (letter == "n" || letter == "d") return "(" type ")v[" at "]." letter
    if (letter == "f") return "(" type ")v[" at "].f"
    return "(" type ")v[" at "].p"
}

function row(name, type, letter, offset) {
    return "{\"" name "\", \"" bare(type) "\", '" letter "', " offset "}"
}

function finish_function(text,    head, arguments, n, parts, i, letter, result, rows, call, name, list, statuses, word, words, w) {
    sub(/^NSE_API +/, "", text)
    gsub(/ +/, " ", text)
    head = substr(text, 1, index(text, "(") - 1)
    arguments = substr(text, index(text, "(") + 1)
    sub(/\); *$/, "", arguments)
    declare(head)
    name = declared_name
    result = declared_type == "void" ? "v" : declared_type == "nse_status" ? "s" : declared_type ~ /\*$/ ? "t" : "n"
    n = arguments == "void" ? 0 : split(arguments, parts, ",")
    for (i = 1; i <= n; i++) {
        declare(parts[i])
        letter = kind(declared_type)
        if (letter == "") fail(name ": what is " declared_type "?")
        rows = rows (i > 1 ? ", " : "") row(declared_name, declared_type, letter, 0)
        call = call (i > 1 ? ", " : "") passed(declared_type, letter, i - 1)
    }
    call = name "(" call ")"
    print "static int64_t call_" name "(const value *v) {"
    print "    (void)v;"
    if (result == "v") print "    " call ";\n    return 0;"
    else if (result == "t") print "    return (int64_t)(intptr_t)" call ";"
    else print "    return (int64_t)" call ";"
    print "}"
    # What its comment names.
    words = comment
    while (match(words, /NSE_(OK|DONE|PENDING|ERR_[A-Z_]+)/)) {
        word = substr(words, RSTART, RLENGTH)
        words = substr(words, RSTART + RLENGTH)
        if (!((name, word) in named)) { named[name, word]; statuses = statuses word ", " }
    }
    table = table "    {\"" name "\", '" result "', call_" name ", " n ", {" (n ? rows : "{0}") "}, {" statuses "NSE_OK}},\n"
    comment = ""
}

FNR == 1 { pass++ }

# The first pass learns the names of types.
pass == 1 && /^typedef struct nse_[a-z_]+ nse_[a-z_]+;$/ { opaque[substr($4, 1, length($4) - 1)] }
pass == 1 && /^typedef struct nse_[a-z_]+ \{$/ { structs[$3] }
pass == 1 { next }

FNR == 1 { print "/* Made by calls.awk of nse.h. */\n#ifndef NSE_TEST_CALLS_H\n#define NSE_TEST_CALLS_H\n#include \"call.h\"\n" }

/^ *\/\*\*/ { if (!inside) comment = "" }
/^ *(\/\*| \*|\*)/ { comment = comment " " $0; next }
/^typedef struct nse_[a-z_]+ \{$/ { inside = $3; fields = ""; count = 0; next }
inside && /^\}/ {
    table_structs = table_structs "    {\"" inside "\", sizeof(" inside "), " count ", {" fields "}},\n"
    inside = ""
    next
}
inside && /;$/ {
    text = $0
    sub(/;$/, "", text)
    declare(text)
    letter = kind(declared_type)
    if (inside == "nse_buffer" && declared_type == "char *") letter = "u"
    if (letter == "") fail(inside ": what is " declared_type "?")
    fields = fields (count++ ? ", " : "") row(declared_name, declared_type, letter, "offsetof(" inside ", " declared_name ")")
    next
}
/^#define NSE_(OK|DONE|PENDING|ERR_)/ { all = all $2 ", " }
/^NSE_API/ { pending = "" ; reading = 1 }
reading {
    pending = pending " " $0
    if (/;$/) { reading = 0; sub(/^ +/, "", pending); finish_function(pending) }
}

END {
    if (failed) exit 1
    print "static const function functions[] = {\n" table "};\n"
    print "static const structure structures[] = {\n" table_structs "};\n"
    print "static const nse_status statuses[] = {" substr(all, 1, length(all) - 2) "};\n"
    printf "static const char *const kinds[] = {"
    for (name in opaque) printf "\"%s\", ", name
    print "NULL};\n#endif"
}
