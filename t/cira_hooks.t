#!/usr/bin/perl

# cira_auth, cira_notify and the limits per address, against a service that
# answers as told.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Stub;
use AMT::Test;
use JSON::PP;

my $t = AMT::Test->new(workers => 2);
my $hooks = AMT::Stub->new($t->dir . '/hooks.sock');

$hooks->answer('/auth', 204);
$hooks->answer('/notify', 204);
$hooks->answer('/other', 204);               # where nobody is to be sent

my $pace = AMT::Test::pace();
my $timeout = 4 * $pace;
my $stream = <<'EOF' =~ s/%%TIMEOUT%%/$timeout/r;
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_auth_timeout 1s;
    cira_notify http://unix:%%DIR%%/hooks.sock:/notify;
    cira_notify_batch 3;
    cira_auth_failures 5 per 60s ban 2s;
    cira_login_sessions 8;
    cira_login_timeout %%TIMEOUT%%s;
    cira_auth_retry 300ms;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
    }
    server {
        listen 127.0.0.1:%%PORT:long%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira_login_timeout 60s;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF

# ---- what nginx -t says ----------------------------------------------------

for (
    [ 'cira_auth https://x/;', qr/starts with "http:\/\/"/ ],
    [ 'cira_auth http://unix:relative:/x;', qr/absolute path/ ],
    [ 'cira_auth http://unix:/x:relative;', qr/starts with "\/"/ ],
    [ 'cira_auth http://unix:/x; cira_auth http://unix:/y;', qr/duplicate/ ],
    [ 'cira_auth "http://unix:/x y:/z";', qr/invalid character/ ],
    [ 'cira_auth http://127.0.0.1:99999/;', qr/invalid port/ ],
    [ 'cira_auth_failures 3 in 60s ban 1s;', qr/per TIME ban TIME/ ],
    [ 'cira_auth_failures 0 per 60s ban 1s;', qr/invalid number/ ],
    [ 'cira_notify http://unix:/x; cira_hooks_zone 8k;', qr/at least/ ],
    [ 'cira_notify_batch 0;', qr/value must be/ ],
) {
    my ($line, $re) = @$_;
    my ($good, $text) = $t->check(stream => $line);
    ok(!$good && $text =~ $re, "nginx -t refuses: $line") or diag($text);
}

# ---- a login, and what the service is asked ----------------------------------

$t->certs;
$t->start(stream => $stream);

sub auths { map { decode_json($_->[2]) } grep { $_->[1] eq '/auth' } $hooks->requests }
sub events {
    map { @{decode_json($_->[2])->{events}} }
        grep { $_->[1] eq '/notify' } $hooks->requests;
}

my $guid = '4c4c4544-0001-4d10-8051-000000000001';
my $d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'P@ss"w\\rd'), 'a device that the service knows is let in');

my ($asked_for) = auths();
is($asked_for->{guid}, $guid, 'asked with the GUID');
is($asked_for->{user}, 'admin', 'with the user');
is($asked_for->{password}, 'P@ss"w\\rd', 'with the password, quoted rightly');
is($asked_for->{address}, '127.0.0.1', 'with the address');
like($asked_for->{tls}, qr/^TLSv1\.[23]$/, 'with the TLS version');
ok(length $asked_for->{cipher}, 'with the cipher');
is($asked_for->{fingerprint}, undef, 'no client certificate, no fingerprint');
ok(!$asked_for->{verified}, 'and nothing verified');

ok($t->wait_for(sub { grep { $_->{type} eq 'connected' } events() }),
    'a connected event');
my ($e) = events();
is($e->{guid}, $guid, 'with the GUID');
ok($e->{generation} > 0 && $e->{seq} > 0, 'generation and sequence number');
ok(abs($e->{time} / 1000 - time) < 30, 'its time is in ms');

$d->close;
ok($t->wait_for(sub { grep { $_->{type} eq 'disconnected' } events() }),
    'a disconnected event');
my ($gone) = grep { $_->{type} eq 'disconnected' } events();
is($gone->{generation}, $e->{generation}, 'of the same generation');
ok(length $gone->{reason}, 'with a reason');

# ---- tenant from the service ---------------------------------------------------

$hooks->answer('/auth', 200, '{"tenant":"blue","channels":2}');
$d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x'), '200 with a tenant lets in');
ok($t->wait_for(sub { grep { $_->{type} eq 'connected'
    && $_->{tenant} eq 'blue' } events() }), 'the event names the tenant');
$d->close;

# ---- refused -------------------------------------------------------------------

for my $status (401, 403) {
    $hooks->answer('/auth', $status);
    $d = AMT::Apf->connect($t->port('cira'));
    $d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
        AMT::Apf::userauth('admin', 'wrong'));
    my $m = $d->expect(51);
    is(unpack('H*', $m->{bytes} // ''), '330000000870617373776f726400',
        "$status: USERAUTH_FAILURE");
    ok($d->expect('eof'), "$status: closed");
}

my $asked = auths();
$d = AMT::Apf->connect($t->port('cira'));
$d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
    AMT::Apf::userauth("\xff\xfe", 'wrong'));
ok($d->expect(51), 'a user name that is not UTF-8 is refused');
is(scalar(auths()), $asked, 'without asking');

# a password with NUL is none that JSON can carry
$d = AMT::Apf->connect($t->port('cira'));
$d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
    AMT::Apf::userauth('admin', "right\0"));
ok($d->expect(51), 'a password with NUL is refused');
is(scalar(auths()), $asked, 'without asking');

# five failures in 60 s
$d = AMT::Apf->connect($t->port('cira'));
$d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
    AMT::Apf::userauth('admin', 'wrong'));
$d->expect('eof');

$asked = auths();
$hooks->answer('/auth', 204);
$d = AMT::Apf->connect($t->port('cira'));
ok(!$d || !$d->login('admin', 'right', seconds => 2),
    'after too many failures the address is banned');
is(scalar(auths()), $asked, 'its password is not even asked for');
ok($t->log =~ /banned/, 'and the log says so');
sleep 2.5;
$d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'right'), 'when the ban is over it is let in again');
$d->close;

# ---- the service is down -------------------------------------------------------

for (
    [ 'answers 500', sub { $hooks->answer('/auth', 500) } ],
    [ 'closes', sub { $hooks->drop('/auth') } ],
    [ 'answers garbage', sub { $hooks->raw('/auth', "garbage\r\n\r\n") } ],
    [ 'cuts its answer', sub { $hooks->raw('/auth',
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ten") } ],
    [ 'answers bad JSON', sub { $hooks->answer('/auth', 200, '{"tenant":') } ],
    [ 'answers duplicate names', sub { $hooks->answer('/auth', 200,
        '{"tenant":"a","tenant":"b"}') } ],
    [ 'answers a number of channels out of range', sub {
        $hooks->answer('/auth', 200, '{"channels":0}') } ],
    [ 'answers more channels than there are', sub {
        $hooks->answer('/auth', 200, '{"channels":65}') } ],
    [ 'answers a tenant that no header can carry', sub {
        $hooks->answer('/auth', 200, '{"tenant":"a b"}') } ],
    [ 'answers a tenant of other letters', sub {
        $hooks->answer('/auth', 200, '{"tenant":"\u00e9"}') } ],
    [ 'answers a list', sub { $hooks->answer('/auth', 200, '["tenant"]') } ],
    [ 'answers deep JSON', sub { $hooks->answer('/auth', 200, '[' x 4000) } ],
    [ 'answers a page', sub { $hooks->raw('/auth', "HTTP/1.1 200 OK\r\n"
        . "Content-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>") } ],
    [ 'announces a gigabyte', sub { $hooks->raw('/auth', "HTTP/1.1 200 OK\r\n"
        . "Content-Length: 1073741824\r\n\r\n" . ' ' x 100_000) } ],
    [ 'has an endless head', sub { $hooks->raw('/auth', "HTTP/1.1 200 OK\r\n"
        . "X-Y: z\r\n" x 50_000) } ],
    [ 'answers too much', sub { $hooks->answer('/auth', 200,
        '{"tenant":"' . 'x' x 100_000 . '"}') } ],
    [ 'answers too much behind its JSON', sub { $hooks->answer('/auth', 200,
        '{"tenant":"blue"}' . ' ' x 100_000) } ],
    [ 'redirects', sub { $hooks->raw('/auth', "HTTP/1.1 302 Found\r\n"
        . "Location: http://localhost/other\r\nContent-Length: 0\r\n\r\n") } ],
) {
    my ($what, $prepare) = @$_;

    $prepare->();
    $d = AMT::Apf->connect($t->port('cira'));
    $d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
        AMT::Apf::userauth('admin', 'right'));
    $d->expect(6);
    my $m = $d->read(0.6);
    ok(!$m, "service $what: the device waits") or diag(explain($m));
    $hooks->answer('/auth', 204);
    ok($d->expect(52, 4), "service $what: let in when it is back");
    $d->close;
}

$hooks->answer('/auth', 204, '', delay => 2.5);
$d = AMT::Apf->connect($t->port('cira'));
$d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
    AMT::Apf::userauth('admin', 'right'));
$d->expect(6);
my $start = time;
my $m = $d->expect(1, 8 * $pace) || $d->expect('eof', 1);
ok($m, 'a service that stays slow: the login times out');
ok(time - $start > 2, 'but not at once');
$hooks->answer('/auth', 204);
sleep 3 * $pace;

# the device vanishes while the service thinks
$hooks->answer('/auth', 204, '', delay => 0.5);
for (1 .. 4) {
    $d = AMT::Apf->connect($t->port('cira')) or next;
    $d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
        AMT::Apf::userauth('admin', 'right'));
    sleep 0.1;
    $d->close;
}
$hooks->answer('/auth', 204);
sleep 2;
$d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'right', seconds => 5 * AMT::Test::slow()),
    'devices that vanish in between do no harm');
$d->close;

# ---- events are sent again until they are taken ----------------------------------

$hooks->answer('/notify', 503);
my $before;
$d = AMT::Apf->connect($t->port('cira'));
$d->login('admin', 'x', guid => '4c4c4544-0001-4d10-8051-0000000000aa');
$d->close;
ok($t->wait_for(sub { 2 <= grep { $_->{guid} =~ /aa$/
    && $_->{type} eq 'connected' } events() }, 8), 'refused events come again');
for (1 .. 3) {
    $d = AMT::Apf->connect($t->port('cira'));
    $d->login('admin', 'x', guid => '4c4c4544-0001-4d10-8051-0000000000ab');
    $d->close;
}
$hooks->answer('/notify', 204);
$before = events();
ok($t->wait_for(sub {
    my @e = events();
    grep { $_->{guid} =~ /aa$/ && $_->{type} eq 'disconnected' }
        @e[$before .. $#e];
}, 12), 'none is lost');
sleep 1;
my $settled = events();
sleep 1.5;
is(scalar(events()), $settled, 'taken events are not sent again');

my ($most) = sort { $b <=> $a } map { scalar @{decode_json($_->[2])->{events}} }
    grep { $_->[1] eq '/notify' } $hooks->requests;
is($most, 3, 'cira_notify_batch');

my %first;
$first{$_->{seq}} //= $_ for events();
my @order = map { $first{$_} } sort { $a <=> $b } keys %first;
my %up;
my $bad = 0;
for (@order) {
    $bad++ if $_->{type} eq 'disconnected' && !$up{$_->{guid}};
    $up{$_->{guid}} = $_->{type} eq 'connected';
}
is($bad, 0, 'sequence numbers have the order of what happened');

# ---- logins in progress per address ------------------------------------------------

# where they have the time that the handshakes of eight take
my @half = map { AMT::Apf->connect($t->port('long')) } 1 .. 8;
is(scalar(grep { $_ } @half), 8, 'eight logins in progress');
$d = AMT::Apf->connect($t->port('cira'));
ok(!$d || !$d->login('admin', 'x', seconds => 2), 'the ninth is refused');
$_->close for @half;
ok($t->wait_for(sub {
    my $n = AMT::Apf->connect($t->port('cira')) or return;
    my $good = $n->login('admin', 'x', seconds => 2);
    $n->close;
    $good;
}), 'when they are gone another one is let in');

# ---- reload and a killed worker ------------------------------------------------------

$t->reload;
$d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x'), 'after a reload');
$d->close;
$t->kill_worker;
$d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x'), 'after a killed worker');
$d->close;

ok($t->log !~ /P\@ss|"password"/, 'no password in the log');

$t->done;
