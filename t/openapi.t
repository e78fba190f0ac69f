#!/usr/bin/perl
# conf/amt/openapi.yaml: a valid OpenAPI document that says what the route
# tables say - each route, nothing else, with its scopes, its fields and the
# answers it can give - and is served.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use JSON::PP;
use YAML::XS;

my $file = 'conf/amt/openapi.yaml';
my $build = AMT::Test::build();
my %key = %AMT::Api::key;

# ---- the document ----

my $text = do { open my $f, '<', $file or die "$file: $!"; local $/; <$f> };
my $doc = eval { local $YAML::XS::Boolean = 'JSON::PP'; YAML::XS::Load($text) };
ok($doc, 'is YAML') or BAIL_OUT($@);

SKIP: {
    eval { require JSON::Validator::Schema::OpenAPIv3; 1 }
        or skip 'libjson-validator-perl is not installed', 1;
    my $v = JSON::Validator::Schema::OpenAPIv3->new;
    # where Debian has it; older packages of the validator bring it themselves
    my $schema = '/usr/share/openapi-specification/schemas/v3.0/schema.yaml';
    $v->specification($schema) if -f $schema;
    $v->data($doc);
    my @errors = @{$v->errors};
    is("@errors", '', 'is OpenAPI 3');
}

unlike($text, qr/\t| $/m, 'no tabs, no blanks at ends of lines');

# references lead somewhere, and what is defined is used

my (%used, @refs);
sub walk {
    my ($node, $where) = @_;
    if (ref $node eq 'HASH') {
        if (defined $node->{'$ref'} && !ref $node->{'$ref'}) {
            push @refs, [$node->{'$ref'}, $where];
        }
        walk($node->{$_}, "$where/$_") for sort keys %$node;
    } elsif (ref $node eq 'ARRAY') {
        walk($_, "$where/") for @$node;
    }
}
walk($doc, '');
sub target {
    my ($ref) = @_;
    my (undef, @path) = split m{/}, $ref;
    my $at = $doc;
    $at = ref $at eq 'HASH' ? $at->{$_} : undef for @path;
    return $at;
}
my @lost = grep { !target($_->[0]) } @refs;
is(join(' ', map { "$_->[1]: $_->[0]" } @lost), '', 'references');
$used{$_->[0]}++ for @refs;
my @unused = grep { !$used{$_} } map { my $kind = $_;
    map { "#/components/$kind/$_" } keys %{$doc->{components}{$kind}} }
    qw(schemas responses parameters);
is("@unused", '', 'nothing is defined in vain');

sub resolve { my ($n) = @_; ref $n eq 'HASH' && $n->{'$ref'}
    ? resolve(target($n->{'$ref'})) : $n }

# ---- the route tables ----

my $json = qx{$build/unit/routes --dump};
is($?, 0, 'route tables');
my $routes = JSON::PP->new->decode($json);
cmp_ok(scalar @$routes, '>', 50, 'all of them');

my %op;
for my $path (sort keys %{$doc->{paths}}) {
    for my $method (sort keys %{$doc->{paths}{$path}}) {
        $op{"$method $path"} = $doc->{paths}{$path}{$method};
    }
}
my %route = map { my $p = '/' . $_->{path}; $p =~ s/:(\w+)/{$1}/g;
    ("$_->{method} $p" => $_) } @$routes;
is(join(', ', grep { !$op{$_} } sort keys %route), '',
    'every route is documented');
is(join(', ', grep { !$route{$_} } sort keys %op), '',
    'what is documented is a route');

my %ids;
$ids{$_->{operationId} // ''}++ for values %op;
is(join(' ', grep { $ids{$_} > 1 } keys %ids), '', 'operationId is unique');

sub properties {
    my ($schema) = @_;
    $schema = resolve($schema) || {};
    my %p = %{$schema->{properties} || {}};
    for my $part (@{$schema->{allOf} || []}) { %p = (%p, properties($part)) }
    return %p;
}

for my $name (sort keys %route) {
    my $o = $op{$name} or next;
    my $r = $route{$name};
    my %answer = %{$o->{responses}};
    my @problems;

    push @problems, "scopes: @{$r->{scopes}}" if "@{$o->{'x-scopes'} || []}"
        ne "@{$r->{scopes}}";
    push @problems, 'x-audit' if !!$o->{'x-audit'} ne !!$r->{audit};
    push @problems, 'security' if ($o->{security}
        && !@{$o->{security}} ? 1 : 0) ne ($r->{open} ? 1 : 0);

    # answers that follow from what the route is

    my %must = (500 => 1);
    $must{401} = 1 if !$r->{open};
    $must{403} = 1 if @{$r->{scopes}};
    $must{400} = 1 if @{$r->{checks}};
    $must{404} = 1 if $r->{device};
    $must{503} = 1 if $r->{device} || $r->{audit};
    $must{504} = 1 if $r->{device} && !$r->{timeout};
    @must{413, 415} = (1, 1) if $o->{requestBody};
    push @problems, "answer $_" for grep { !$answer{$_} } sort keys %must;
    push @problems, 'no good answer' unless grep { /^2/ } keys %answer;
    push @problems, "unexpected $_" for grep { !$must{$_}
        && /^403$/ } keys %answer;
    for my $status (keys %answer) {
        push @problems, "$status: no description"
            unless length(resolve($answer{$status})->{description} // '');
    }

    # parameters of the path

    my %param = map { my $p = resolve($_); ("$p->{in} $p->{name}" => $p) }
        @{$o->{parameters} || []};
    my %in_path = map { $_ => 1 } $name =~ /\{(\w+)\}/g;
    push @problems, "parameter $_" for grep { !$param{"path $_"} }
        keys %in_path;
    push @problems, "not in the path: $_" for grep { /^path (.*)/
        && !$in_path{$1} } keys %param;

    # fields that are checked; where they are looked for: 1 body, 8 path,
    # 16 query, 0 everywhere

    my $body = $o->{requestBody};
    my $schema = $body
        ? resolve($body->{content}{'application/json'}{schema}) : {};
    my %required = map { $_ => 1 } @{$schema->{required} || []};
    my (%checked, %must_have);
    for my $c (@{$r->{checks}}) {
        my ($field, @nested) = split /\.|\[\*\]/, $c->{field};
        $checked{$field} = 1;
        if ($c->{in} == 8) {
            push @problems, "path: $field" unless $param{"path $field"};
        } elsif ($c->{in} == 16) {
            push @problems, "query: $field" unless $param{"query $field"};
        } elsif (!$param{"path $field"}) {
            my %p = properties($schema);
            push @problems, "body: $c->{field}" unless $p{$field};
            my %n = properties($p{$field});
            push @problems, "body: $c->{field}" if @nested && !$n{$nested[0]};
        }
    }
    if ($r->{method} =~ /post|put|patch/ && @{$r->{checks}}) {
        my %p = properties($schema);
        push @problems, "required, but never checked: $_"
            for grep { !$checked{$_} } keys %required;
    }
    push @problems, 'body' if $body && $r->{method} eq 'get';
    push @problems, 'stream' if $r->{stream}
        && !resolve($answer{200})->{content}{'application/x-ndjson'};
    push @problems, 'summary' unless length($o->{summary} // '');
    push @problems, 'tag' unless grep { $_->{name} eq ($o->{tags}[0] // '') }
        @{$doc->{tags}};

    is(join('; ', @problems), '', $name);
}

# ---- it is served ----

my $t = AMT::Api::prepare();
my $vault = AMT::Vault->new($t->port('vault'));
$t->start(main => $AMT::Api::main, stream => AMT::Api::stream(),
    http => AMT::Api::http(http => "amt_openapi $t->{root}/$file;",
        extra => 'location /none/ { amt_api /none; }'));
for my $path ('/api/v1/openapi.yaml', '/mps/api/v1/openapi.yaml') {
    my $r = $t->get($path, key => $key{none});
    is($r->{status}, 401, "$path: no key");
    $r = $t->get($path, key => $key{reader});
    is($r->{status}, 200, $path);
    is($r->{headers}{'content-type'}, 'application/yaml; charset=utf-8',
        'its type');
    ok($r->{body} eq $text, 'the document');
    ok($r->{headers}{etag}, 'ETag');
}
$t->stop;

# a server whose configuration has no document, or a bad one

$t->start(main => $AMT::Api::main, stream => AMT::Api::stream(),
    http => AMT::Api::http());
is($t->get('/api/v1/openapi.yaml', key => $key{reader})->{status}, 404,
    'without amt_openapi');
$t->stop;

for my $c (['/nonexistent', qr/open\(\) ".*" failed/],
    ['%%DIR%%', qr/must be a file of/], ["$t->{root}/$file; amt_openapi x",
        qr/"amt_openapi" directive is duplicate/])
{
    my ($rc, $out) = $t->check(main => $AMT::Api::main,
        stream => AMT::Api::stream(),
        http => AMT::Api::http(http => "amt_openapi $c->[0];"));
    like($out, $c->[1], "amt_openapi $c->[0]");
}

AMT::Test::done();
