#!/usr/bin/perl

# Both path layouts, as a client of each goes through them from login to a
# console: the server's own and the reference gateway's.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Redir;

my $include = join '', map { "include %%ROOT%%/conf/amt/$_.conf;\n" }
    grep { -f "conf/amt/$_.conf" } qw(relay gateway);

# ---- what nginx -t refuses

my $check = AMT::Api::prepare(test => {});
for ([ '/a b', qr/must begin with "\/"/ ], [ '/a /', qr/must begin with "\/"/ ],
    [ '/a /b /c', qr/invalid number of arguments/ ])
{
    my ($args, $re) = @$_;
    my ($ok, $out) = $check->check(main => $AMT::Api::main,
        stream => AMT::Api::stream(),
        http => AMT::Api::http(extra => "location /a { amt_api $args; }"));
    ok(!$ok && $out =~ $re, "nginx -t: amt_api $args") or diag $out;
}

my $strict = 'server { listen 127.0.0.1:%%PORT:strict%%;
    location /api/v1/ { amt_api; }
    location ~* ^/api/v1/amt/power/capabilities/ { deny all; amt_api; }
}';

my ($t, $vault) = AMT::Api::start(extra => $include, http => $strict, users => 'ui:'
    . crypt('right', '$6$rounds=1000$saltsalt') . "::all\n");
my $sim = AMT::Api::devices($t);
my $guid = $sim->guid(0);
my @http = (scheme => 'http', port => 'http');

sub call { my ($m, $p, @o) = @_; return $t->request($m, $p, @http, @o) }

# base: what a client is configured with; login and relay as the UI derives
# them from it
my %layout = (
    own => { api => '/api/v1', login => '/api/v1/authorize',
        relay => '/relay/webrelay.ashx' },
    gateway => { api => '/mps/api/v1', login => '/mps/login/api/v1/authorize',
        relay => '/mps/ws/relay/webrelay.ashx' },
);

for my $name (sort keys %layout) {
    my ($api, $login, $relay) = @{$layout{$name}}{qw(api login relay)};

    my $r = call('POST', $login, json => { username => 'ui',
        password => 'wrong' });
    is($r->{status}, 401, "$name: a wrong password");
    $r = call('POST', $login, json => { username => 'ui',
        password => 'right' });
    is($r->{status}, 200, 'login') or diag $r->{body};
    my $token = $r->{json}{token};

    is(call('GET', "$api/devices")->{status}, 401, 'not without the token');
    $r = call('GET', "$api/devices?\$top=25&\$skip=0&\$count=true",
        token => $token);
    is($r->{json}{totalCount}, 1, 'devices');
    is(call('GET', "$api/amt/version/$guid", token => $token)->{status}, 200,
        'a device');
    is(call('GET', "$api/amt/nothing/$guid", token => $token)->{status}, 404,
        'what is not there');

    $r = call('GET', "$api/authorize/redirection/$guid", token => $token);
    is($r->{status}, 200, 'a token for a console');

    SKIP: {
        skip 'no relay.conf', 2 if $include !~ /relay/;
        my $v = AMT::Redir->open($t, guid => $guid, kind => 'sol',
            path => AMT::Redir::path(guid => $guid, kind => 'sol')
                =~ s{^[^?]*}{$relay}r, token => $r->{json}{token});
        is($v->{ws}{status}, 101, 'a console');
        ok($v->login, 'that is logged in') or diag $v->{error};
        $v->{ws}->close;
        $v->{ws}->wait_close;
    }
}

is(call('POST', '/mps/login/api/v1/devices', key => $AMT::Api::key{admin},
    json => { guid => $guid })->{status}, 404, 'the login path is a login only');
is(call('POST', '/api/v1/login/api/v1/authorize', json => {})->{status}, 401,
    'and the other layout has none');

# ---- power of a device

my %key = %AMT::Api::key;

for my $p ('/device/power/state', '/api/v1/amt/power/state') {
    is(call('GET', "$p/$guid")->{status}, 401, "$p: needs a key");
    is(call('GET', "$p/$guid", key => $key{redirection})->{status}, 403,
        'and its scope');
    my $r = call('GET', "$p/$guid", key => $key{reader});
    is($r->{json}{powerstate}, 2, 'is answered')
        or diag $r->{body};
    is(call('GET', "$p/1", key => $key{reader})->{status}, 404, 'no GUID');
    is(call('GET', "$p/$guid/1", key => $key{reader})->{status}, 404,
        'more than a GUID');
    is(call('GET', "$p/", key => $key{reader})->{status}, 404, 'less');
    is(call('GET', "$p/" . $guid =~ s/1$/f/r, key => $key{tenant})->{status},
        404, 'not connected');
    is(call('GET', "$p/$guid", key => $key{tenant})->{status}, 401,
        "another tenant's");
}

my $r = call('POST', "/device/power/action/$guid", key => $key{reader},
    json => { action => 8 });
is($r->{status}, 403, 'action: needs its scope');
$r = call('POST', "/device/power/action/$guid", key => $key{power},
    json => { action => 8 });
is($r->{json}{Body}{ReturnValueStr}, 'SUCCESS', 'is done') or diag $r->{body};
ok($t->wait_for(sub { call('GET', "/device/power/state/$guid",
    key => $key{reader})->{json}{powerstate} != 2 }), 'and seen');
$r = call('POST', "/device/power/action/$guid", key => $key{power},
    json => { action => 'x' });
is($r->{json}{errors}[0]{path}, 'action', 'is validated');
like($t->read_file('logs/audit.log'),
    qr/"who":"key:power".*"action":"power.action","guid":"$guid"/,
    'and leaves its line');
is(call('GET', "/device/power/action/$guid", key => $key{reader})->{status},
    404, 'another method');

# only what the reference gateway has
is(call('GET', "/device/power/capabilities/$guid", key => $key{reader})
    ->{status}, 404, 'nothing else of power');
is(call('GET', '/device/api/v1/devices', key => $key{admin})->{status}, 404,
    'nor of the API');
is(call('GET', "/device/power/state/../../../devices/$guid",
    key => $key{admin})->{status}, 404, 'nor by a detour');

# ---- letter case is no way around a location that ignores it

for my $p ("/api/v1/amt/power/capabilities/$guid",
    "/api/v1/AMT/Power/Capabilities/$guid",
    "/api/v1/amt/%50ower/./capabilities/$guid")
{
    is(call('GET', $p, port => 'strict', key => $key{admin})->{status}, 403,
        $p);
}
is(call('GET', "/api/v1/AMT/Power/State/$guid", port => 'strict',
    key => $key{reader})->{status}, 200, 'which the API ignores');

$sim->stop;
AMT::Test::done();
