#!/usr/bin/perl
# REST: every route of the tables, as the module itself lists them, asked for
# everything that may be wrong with a caller, a request or a device.  A route
# without a line in %route fails.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use IO::Select;
use JSON::PP;
use MIME::Base64;

my $list = AMT::Test::build() . '/unit/api_routes';
plan skip_all => "no $list" unless -x $list;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my @routes = map { $json->decode($_) } split /\n/,
    do { local $ENV{ASAN_OPTIONS} = 'detect_leaks=0'; qx{$list --list} };

# ---- what a good request to a route is, what it says when it is not ----
#
# body: a valid one; param: what stands behind the GUID; ok: status with a
# device that is well (2xx); fault, silent: what it says to a SOAP fault and
# to no answer, where that is not E(500) and 504; tenant: what another tenant
# gets, where that is not 401; after: who is asked last, because it ends the
# device.

my %psk = (profileName => 'home', ssid => 'Home', priority => 1, password =>
    'good word', authenticationMethod => 'WPA2PSK', encryptionMethod =>
    'CCMP');
my $cert = 'certificate, made below';
my $table = qr/^404 \{"error":\{"alarm":/;
my %route = (
    'POST authorize' => { body => { username => 'mia', password => 'word' } },
    'GET authorize/redirection/:guid' => { tenant => qr/^404 $/ },
    'GET ciracert' => { tenant => qr/^200 / },
    'GET health' => {},
    'GET version' => { tenant => qr/^200 / },

    'GET devices' => { tenant => qr/^200 \[\]$/ },
    'GET devices/stats' => { tenant => qr/^200 \{"totalCount":0,/ },
    'GET devices/tags' => { tenant => qr/^200 \[\]$/ },
    'GET devices/:guid' => { tenant => qr/^204 $/ },
    'GET devices/redirectstatus/:guid' => {},
    'POST devices' => { body => { guid => '%guid', hostname => 'other' },
        tenant => qr/^400 \{"error":"Unique key violation"/ },
    'PATCH devices' => { body => { guid => '%guid', hostname => 'other' },
        tenant => qr/^404 \{"error":"NOT FOUND"/ },
    'DELETE devices/:guid' => { tenant => qr/^404 \{"error":"NOT FOUND"/,
        after => 1 },
    'DELETE devices/refresh/:guid' => { tenant => qr/^404 $/ },
    'DELETE devices/disconnect/:guid' => { after => 1 },
    'DELETE amt/deactivate/:guid' => { after => 1, fault =>
        qr/^400 .*"Unprovision request failed for guid : [-0-9a-f]+\. / },

    # beyond the original
    'GET openapi.yaml' => { tenant => qr/^200 .*\nopenapi: 3/s },
    'GET amt/snapshot/:guid' => { fault => qr/^(200|400|500) \{/,
        silent => qr/^504 / },
    'GET admin/devices/:guid/secrets' => { tenant => qr/^404 /, secret => 1 },
    'PUT admin/devices/:guid/secrets' => { tenant => qr/^404 /,
        body => { generate => ['mpspassword'] }, secret => 1 },
    'POST bulk/power' => { body => { action => 10, guids => ['%guid'] },
        fault => qr/^200 .*"failed":1\b/s,
        cap => 500_000, tenant => qr/^200 .*(not found|404|unknown)/is },

    'GET amt/log/audit/:guid' => {},
    'GET amt/log/event/:guid' => {},
    'GET amt/generalSettings/:guid' => { fault =>
        qr/^200 \{"Header":\{[^{}]*\}\}$/ },
    'GET amt/version/:guid' => { fault => qr/^400 .*"AMT Version request /},
    'GET amt/hardwareInfo/:guid' => {},
    'GET amt/power/state/:guid' => { fault => qr/^400 .*"Power State reque/,
        silent => $table },
    'GET amt/power/capabilities/:guid' => {},
    'POST amt/power/action/:guid' => { body => { action => 10 } },
    'POST amt/power/bootOptions/:guid' => { body => { action => 101,
        useSOL => $no } },
    'GET amt/power/bootSources/:guid' => {
        fault => qr/^500 \{"error":"Failed to get boot source settings"/ },
    'GET amt/features/:guid' => {},
    'POST amt/features/:guid' => { body => { userConsent => 'none',
        enableSOL => $yes, enableIDER => $yes, enableKVM => $yes } },
    'GET amt/userConsentCode/:guid' => {},
    'GET amt/userConsentCode/cancel/:guid' => { ok => qr/^(200|400)$/ },
    'POST amt/userConsentCode/:guid' => { body => { consentCode => '000001' },
        ok => qr/^(200|400)$/ },
    'GET amt/alarmOccurrences/:guid' => {},
    'POST amt/alarmOccurrences/:guid' => { body => { ElementName => 'up',
        StartTime => '2031-01-02T03:04:05Z' },
        fault => qr/^400 .*"Alarm add request invalid parameters for guid/ },
    'DELETE amt/alarmOccurrences/:guid' => { body => { Name => 'up' },
        fault => qr/^404 \{"error":"Alarm instance not found"/,
        ok => qr/^(200|404)$/ },
    'GET amt/certificates/:guid' => {},
    'POST amt/certificates/:guid' => { body => { cert => \$cert,
        isTrusted => $yes },
        fault => qr/^400 .*"Failed to validate or process certificate"/,
        silent => qr/^(504|400) / },
    'DELETE amt/certificates/:guid/:handle' => { param => 'no%20such%20one',
        ok => 404 },
    'GET amt/kvm/displays/:guid' => {},
    'PUT amt/kvm/displays/:guid' => { body => { displayIndex => 0 } },
    'POST amt/network/linkPreference/:guid' => { body => {
        linkPreference => 1, timeout => 1 }, fault => $table },
    'GET amt/networkSettings/:guid' => {},
    'GET amt/networkSettings/wired/:guid' => {},
    'PATCH amt/networkSettings/wired/:guid' => { body => {
        dhcpEnabled => $yes } },
    'GET amt/networkSettings/wireless/state/:guid' => {},
    'POST amt/networkSettings/wireless/state/:guid' => { body => {
        state => 'WifiEnabledS0' } },
    'GET amt/networkSettings/wireless/profileSync/:guid' => {},
    'POST amt/networkSettings/wireless/profileSync/:guid' => { body => {
        localProfileSync => $yes } },
    'GET amt/networkSettings/wireless/profile/:guid' => {},
    'POST amt/networkSettings/wireless/profile/:guid' => { body => \%psk },
    'PATCH amt/networkSettings/wireless/profile/:guid' => { body => \%psk,
        ok => qr/^(204|404)$/ },
    'DELETE amt/networkSettings/wireless/profile/:guid/:profileName' => {
        param => 'home', ok => qr/^(204|404)$/ },
);

my @scopes = qw(read power devices configure redirection force secrets
    provision record);
for my $s (@scopes) {
    $key{"no-$s"} = $AMT::Api::key{"no-$s"} = "test-key-no-$s";
    $AMT::Api::grant{"no-$s"} = ':' . join ',', grep { $_ ne $s } @scopes;
}

my ($t, $vault) = AMT::Api::start(
    users => 'mia:' . crypt('word', '$6$rounds=1000$saltsalt$') . ":T:all\n"
        . 'ada:' . crypt('word', '$6$rounds=1000$saltsalt$') . "::all\n",
    http => 'amt_timeout ' . (1 * $slow) . 's; amt_budget ' . (4 * $slow)
        . 's; amt_openapi %%ROOT%%/conf/amt/openapi.yaml;');

system("openssl req -x509 -newkey rsa:2048 -nodes -keyout $t->{dir}/x.key "
    . "-out $t->{dir}/x.der -outform DER -subj /CN=routes -days 9 2>/dev/null")
    == 0 or die;
$cert = encode_base64($t->read_file('x.der'), '');

# each route has a device of its own: one may be silent while others are not
my $sim = AMT::Api::devices($t, count => scalar @routes);
my $absent = 'c0000000-0000-4000-8000-000000000001';
$t->post('/api/v1/devices', key => $key{admin}, json => {
    guid => $sim->guid($_), hostname => "host-of-mine-$_", tags => ["mine"],
    mpsusername => 'standalone' }) for 0 .. $#routes;

my @known;
for my $i (0 .. $#routes) {
    my $r = $routes[$i];
    $r->{name} = "$r->{method} $r->{path}";
    ok(exists $route{$r->{name}}, "$r->{name} has a line here") or next;
    $r = { %$r, %{delete $route{$r->{name}}}, n => $i,
        guid => $sim->guid($i) };
    push @known, $r;
}
is(join(', ', sort keys %route), '', 'every line has a route');

sub path {
    my ($r, $guid, $prefix) = @_;
    (my $path = $r->{path}) =~ s/:guid/$guid/;
    $path =~ s/:(\w+)/$r->{param} || 'x'/e;
    return ($prefix // '') . "/api/v1/$path";
}

sub body {
    my ($r, $guid) = @_;
    return undef unless $r->{body};
    my %b = map { my $v = $r->{body}{$_};
        $_ => ref $v eq 'SCALAR' ? $$v : $v } keys %{$r->{body}};
    return $json->encode(\%b) =~ s/%guid/$guid/r;
}

# asks a route as it should be asked, but for what %o says
sub ask {
    my ($r, %o) = @_;
    my $guid = delete $o{guid} // $r->{guid};
    my $method = delete $o{method} // $r->{method};
    my $prefix = delete $o{prefix};
    my $body = exists $o{body} ? delete $o{body} : body($r, $guid);
    my $type = exists $o{type} ? delete $o{type} : 'application/json';
    my $more = delete $o{headers} || {};
    return $t->request($method, path($r, $guid, $prefix),
        defined $body ? (body => $body) : (),
        headers => { defined $body && $type ? ('Content-Type' => $type) : (),
            %$more }, %o);
}

sub said { "$_[0]{status} $_[0]{body}" }
sub is_said {
    my ($r, $want, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ref $want ? like(said($r), $want, $name) : is(said($r), $want, $name);
}
sub named { qq($_[0] {"error":"$_[1]") . (defined $_[2]
    ? qq(,"errorDescription":"$_[2]"}) : '}') }
sub gone { named(404, 'Device not found/connected. Please connect again using '
    . 'CIRA.', "guid : $_[0]") }
my $bad = 'Incorrect URI or Bad Request';
my @guarded = grep { !$_->{open} } @known;
my @device = grep { $_->{device} } @known;

# ---- nobody ----

for my $r (@guarded) {
    is_said(ask($r), '401 {"message":"Unauthorized"}', "$r->{name}: nobody");
    is_said(ask($r, prefix => '/mps', token => 'a.b.c'),
        '401 {"message":"Unauthorized"}', "$r->{name}: bad token, /mps");
}

# ---- one scope too few ----

for my $r (@guarded) {
    for my $s (@{$r->{scopes}}) {
        is_said(ask($r, key => $key{"no-$s"}), named(403, 'Forbidden',
            'Scope does not allow this request'), "$r->{name}: no $s");
    }
}

# ---- another tenant sees and touches nothing ----

my $token = $t->post('/api/v1/authorize', json => { username => 'mia',
    password => 'word' })->{json}{token};
my $mine = $t->post('/api/v1/authorize', json => { username => 'ada',
    password => 'word' })->{json}{token};
ok($token && $mine, 'logged in');
my $before = $t->get('/api/v1/devices?$top=1000', key => $key{admin})->{body};
my %secret = map { $_->{guid} => $json->encode(
    $vault->get("devices/$_->{guid}")) } @known;
$sim->mark;
for my $r (@guarded) {
    my $want = $r->{tenant}
        || named(401, 'Unauthorized', 'Unauthorized');
    for my $how ([key => $key{tenant}], [token => $token]) {
        for my $prefix ('', '/mps') {
            my $a = ask($r, @$how, prefix => $prefix);
            is_said($a, $want, "$r->{name}: other tenant's $how->[0]");
            unlike($a->{body}, qr/host-of-mine|"mine"/, 'tells nothing');
        }
        $want = $r->{tenant} || $want;
        ask($r, @$how, method => 'HEAD') if $r->{method} eq 'GET';
    }
    # nor by asking for the tenant
    my $query = path($r, $r->{guid}) . '?tenantId=';
    is_said($t->request($r->{method}, $query, key => $key{tenant},
        body => body($r, $r->{guid}), headers => { 'Content-Type' =>
        'application/json' }), $want, "$r->{name}: ?tenantId=")
        if !defined $r->{body} || $r->{device};
}
ok(!$sim->wait_event('request', timeout => 0.3), 'no device was asked');
is($t->get('/api/v1/devices?$top=1000', key => $key{admin})->{body}, $before,
    'no row was touched');
is_deeply({ map { $_->{guid} => $json->encode(
    $vault->get("devices/$_->{guid}")) } @known }, \%secret, 'no secret');

# ---- not connected, no GUID ----

$t->post('/api/v1/devices', key => $key{admin}, json => { guid => $absent });
for my $r (@device) {
    for my $prefix ('', '/mps') {
        is_said(ask($r, key => $key{admin}, guid => $absent,
            prefix => $prefix), gone($absent), "$r->{name}: not connected");
    }
    is_said(ask($r, key => $key{gateway}, guid => $absent), gone($absent),
        "$r->{name}: nor for the gateway");
    is_said(ask($r, token => $mine, guid => uc $absent), gone(uc $absent),
        "$r->{name}: token, upper case");
}
for my $r (grep { $_->{path} =~ /:guid/ } @known) {
    for my $g ('1', 'test-guid-123', "{$absent}", "${absent}0") {
        my $a = ask($r, key => $key{admin}, guid => $g);
        is_said($a, $r->{device} && !$r->{checks} ? gone($g)
            : qr/^(400 \{"errors":\[|\Q@{[gone($g)]}\E)/,
            "$r->{name}: GUID $g");
    }
    is(ask($r, key => $key{admin}, guid => '%ff')->{status}, 400,
        "$r->{name}: GUID is no UTF-8");
    is(ask($r, key => $key{admin}, guid => '%zz')->{status}, 400,
        "$r->{name}: GUID cannot be decoded");
}

# ---- bodies ----

for my $r (@known) {
    my %as = ($r->{open} ? () : (key => $key{admin}), guid => $absent);
    my $none = said(ask($r, %as, body => undef));
    for my $c (['{', undef], ['{"a":1,"a":2}',
            'duplicate member in a JSON object'],
        ["{\"a\":\"\xff\"}", 'body is not valid UTF-8'],
        ['[' x 40 . ']' x 40, 'JSON is nested too deeply'],
        ['{"a":"\u0000"}', 'null character in a JSON string'])
    {
        is_said(ask($r, %as, body => $c->[0]), named(400, $bad, $c->[1]),
            "$r->{name}: body " . substr $c->[0], 0, 12);
    }
    is_said(ask($r, %as, body => '{"a":"' . 'x' x ($r->{cap} || 102_400)
        . '"}'),
        named(413, 'Payload Too Large', 'Request body is too large'),
        "$r->{name}: body over the cap");
    is_said(ask($r, %as, body => '{}', type =>
        'application/json; charset=utf-16'), qr/^415 /,
        "$r->{name}: charset");
    is_said(ask($r, %as, body => '{}', headers => {
        'Content-Encoding' => 'br' }), qr/^415 /, "$r->{name}: encoding");

    # what changes a row is not asked again with other types
    next if $r->{name} =~ /^DELETE devices|^GET health/;
    for my $type ('text/plain', 'application/x-www-form-urlencoded', '') {
        is_said(ask($r, %as, body => body($r, $absent) // '{', type => $type),
            $none, "$r->{name}: content type '$type' is no body");
    }
    is(ask($r, %as, body => $_)->{status} < 500 ? 1 : 0, 1,
        "$r->{name}: $_") for '[]', '[[]]', '{"":{}}', '{}';

    # every member in every wrong form
    for my $m (sort keys %{$r->{body} || {}}) {
        for my $v (undef, [], {}, [[]], '', 'x' x 3000, "\x{fffd}<&>\"'", -1,
            1e300, 0.5, $yes, "\r\nX: y", { a => [] })
        {
            my $b = $json->decode(body($r, $absent));
            $b->{$m} = $v;
            my $a = ask($r, %as, body => $json->encode($b));
            ok($a->{status} < 500 && $a->{status} != 599,
                "$r->{name}: $m " . substr $json->encode($v), 0, 20)
                or diag said($a);
        }
    }
}

# ---- what is as long as a body may be ----
#
# It would make an audit line longer than one write() takes: the caller's
# mistake, not the gateway's.  Devices of these routes answer with a fault, so
# that nothing is changed.

my %wide = (
    'POST amt/networkSettings/wireless/profile/:guid' => { ieee8021x =>
        { username => 'me', authenticationProtocol => 0 } },
    'POST amt/power/bootOptions/:guid' => { bootDetails => { username => 'u',
        password => 'good word', bootPath => 'p', url => 'https://a.b/' } },
    'PATCH amt/networkSettings/wired/:guid' => { map { $_ => '10.0.0.1' }
        qw(ipAddress subnetMask defaultGateway primaryDNS) },
    'POST amt/alarmOccurrences/:guid' => { InstanceID => 'up',
        Interval => 1 },
    'PUT admin/devices/:guid/secrets' => { amtpassword => 'P@ssw0rd9' },
);

sub widened {
    my ($value) = @_;
    my @all;
    for my $m (ref $value eq 'HASH' ? sort keys %$value : ()) {
        my $v = $value->{$m};
        push @all, map { [{ %$value, $m => $_->[0] }, "$m.$_->[1]"] }
            ref $v eq 'HASH' ? widened($v)
            : ref $v eq 'ARRAY' ? ([[($v->[0]) x 4500], 'repeated'],
                [['x' x 90_000], 'long'])
            : (['x' x 90_000, 'long'], ["\x01" x 15_000, 'escaped'],
                ['0' x 90_000 . ($v =~ /^\d+$/ ? $v : 1), 'zeros']);
    }
    return @all;
}

for my $r (grep { $_->{audit} && $_->{body} } @known) {
    my $b = $json->decode(body($r, $r->{guid}));
    $sim->misbehave($r->{n}, 'fault');
    for my $w (widened({ %$b, %{$wide{$r->{name}} || {}} })) {
        my $a = ask($r, key => $key{admin}, body => $json->encode($w->[0]));
        $a->{status} >= 400 && $a->{status} < 500 ? pass("$r->{name}: $w->[1]")
            : like(said($a), $r->{fault} || $r->{ok}
                || qr/\Q@{[$r->{exception} || '?']}/, "$r->{name}: $w->[1]");
    }
    $sim->misbehave($r->{n}, 'off');
}

# ---- methods and paths that are not there ----

for my $r (@known) {
    my %as = $r->{open} ? () : (key => $key{admin});
    my $path = path($r, $absent);
    for my $method (qw(GET POST PUT PATCH DELETE)) {
        next if grep { my $o = $_; (my $re = $o->{path}) =~ s{:\w+}{[^/]+}g;
            $o->{method} eq $method && $path =~ m{^/api/v1/$re$}i } @known;
        my $a = $t->request($method, $path, %as);
        is("$a->{status} $a->{headers}{'content-type'}",
            '404 text/html; charset=utf-8', "$method $r->{path}");
        like($a->{body}, qr/<pre>Cannot $method \Q$path\E</, 'its page');
    }
    is($t->request($r->{method}, "$path/x/y/z", key => $key{admin})->{status},
        404, "$r->{name} and more");
    is($t->request($r->{method}, "/mps/api/v2/$r->{path}", key => $key{admin})
        ->{status}, 404, "$r->{name} of another version");
    my $a = $t->request('OPTIONS', $path, headers => {
        'Access-Control-Request-Headers' => 'x-api-key' });
    is("$a->{status} $a->{headers}{'access-control-allow-origin'}", '204 *',
        "OPTIONS $r->{path}");
    next if $r->{method} ne 'GET';
    $a = ask($r, %as, guid => $absent);
    my $h = ask($r, %as, guid => $absent, method => 'HEAD');
    is("$h->{status} $h->{body}", "$a->{status} ", "HEAD $r->{path}");
    is($a->{headers}{'access-control-allow-origin'}, '*', 'CORS header')
}

# ---- the device answers with a fault ----

for my $r (@device) {
    next if $r->{path} =~ /^devices/;
    $sim->misbehave($r->{n}, 'fault');
    my $a = ask($r, key => $key{admin});
    $sim->misbehave($r->{n}, 'off');
    is_said($a, $r->{fault} || named(500, 'Internal Server Error',
        $r->{exception}), "$r->{name}: fault");
}

# ---- the device is silent: all at once, so that it takes one timeout ----

my %open;
for my $r (@device) {
    next if $r->{path} =~ /^devices/;
    $sim->misbehave($r->{n}, 'no-answer');
    my $body = body($r, $r->{guid});
    my $s = $t->socket('http');
    syswrite $s, "$r->{method} " . path($r, $r->{guid}) . " HTTP/1.1\r\n"
        . "Host: h\r\nX-API-Key: $key{admin}\r\nConnection: close\r\n"
        . (defined $body ? "Content-Type: application/json\r\n"
            . 'Content-Length: ' . length($body) . "\r\n" : '')
        . "\r\n" . ($body // '');
    $open{$r->{name}} = [$r, $s];
}
for my $name (sort keys %open) {
    my ($r, $s) = @{$open{$name}};
    my ($head, $body) = split /\r\n\r\n/, $t->exchange($s, '', 8), 2;
    my ($status) = ($head // '') =~ m{^HTTP/1.1 (\d+)};
    is_said({ status => $status // 'none', body => $body // '' },
        $r->{silent} || named(504, 'Gateway Timeout', $r->{exception}),
        "$name: no answer");
}
$sim->misbehave($_->{n}, 'off') for @known;

# ---- and when all is well ----

for my $r (sort { ($a->{after} // 0) <=> ($b->{after} // 0) } @known) {
    my $want = $r->{ok} || qr/^20[014]$/;
    my $a = ask($r, $r->{open} ? () : (key => $key{admin}),
        prefix => $r->{n} % 2 && $r->{path} ne 'authorize' ? '/mps' : '');
    ref $want ? like($a->{status}, $want, "$r->{name}: well")
        : is($a->{status}, $want, "$r->{name}: well") or diag said($a);
}

# ---- what changes something left a line, and no secret ----

my $audit = $t->read_file('logs/audit.log');
for my $r (grep { $_->{audit} } @known) {
    like($audit, qr/"guid":"\Q$r->{guid}\E"/, "$r->{name} is in the audit log");
}
unlike($audit, qr/good word/, 'without passwords');

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
