#!/usr/bin/perl
# REST: deactivating a device: what the device, the store, Vault and the
# connection are afterwards, and what is left when something fails half-way.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . (4 * $slow) . 's; amt_budget ' . (8 * $slow)
    . 's;');
my $sim = AMT::Api::devices($t, count => 9);
my $api = '/api/v1';
$t->allow(qr/exited on signal 9/);

sub as { (key => $key{$_[0]}) }

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

my $exception = 'Exception during unprovision request';
sub e500 { qq({"error":"Internal Server Error","errorDescription":"$_[0]"}) }
sub e503 { qq({"error":"Service Unavailable","errorDescription":"$_[0]"}) }
sub e504 { qq({"error":"Gateway Timeout","errorDescription":"$_[0]"}) }
sub url { "$api/amt/deactivate/" . $sim->guid($_[0]) }
sub deactivate { $t->delete(url($_[0]), as('admin')) }
sub row { $t->get("$api/devices/" . $sim->guid($_[0]), as('admin'))->{status} }
sub secret { defined $vault->get('devices/' . $sim->guid($_[0])) ? 1 : 0 }

# row, secret; is the device still managed?
sub is_kept {
    my ($n, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(row($n) . ' ' . secret($n), '200 1', $name);
}

sub is_gone {
    my ($n, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(row($n) . ' ' . secret($n), '404 0', $name);
}

sub offline {
    my ($n) = @_;
    return $t->wait_for(sub { $t->get("$api/amt/generalSettings/"
        . $sim->guid($n), as('reader'))->{status} == 404 });
}

# ---- who may ----

for my $who ('reader', 'power', 'devices') {
    is($t->delete(url(0), as($who))->{status}, 403, "not $who");
}
is_answer($t->delete(url(0), as('tenant')), 401,
    '{"error":"Unauthorized","errorDescription":"Unauthorized"}',
    'nor another tenant');
is_kept(0, 'nothing happened');

# ---- the good case ----

is_answer(deactivate(0), 200, '{"status":"SUCCESS"}', 'deactivated');
ok($sim->wait_event('unprovisioned', guid => $sim->guid(0)),
    'the device is');
is_gone(0, 'neither row nor secret');
ok(offline(0), 'nor connection');
is_answer(deactivate(0), 404, '{"error":"Device not found/connected. Please '
    . 'connect again using CIRA.","errorDescription":"guid : ' . $sim->guid(0)
    . '"}', 'twice');
is($t->delete("/mps$api/amt/deactivate/" . uc $sim->guid(8), as('admin'))
    ->{body}, '{"status":"SUCCESS"}', 'the other layout, upper case');
is_gone(8, 'is gone, too');
like($t->read_file('logs/audit.log'), qr/"action":"device.deactivate","guid":
    "\Q@{[$sim->guid(0)]}\E"/x, 'audit');

# ---- the device does not want to, or cannot be understood ----

for my $c (['at:Unprovision,return=16', 200, '{"ReturnValue":16}'],
    ['at:Unprovision,fault=2', 400, '{"error":"Incorrect URI or Bad Request",'
        . '"errorDescription":"Unprovision request failed for guid : '
        . $sim->guid(1) . '. The sender was not authorized to access the '
        . 'resource."}'],
    ['refuse=1', 500, e500($exception)], ['always-401', 500,
        e500($exception)], ['garbage-http', 500, e500($exception)],
    ['no-answer', 504, e504($exception)])
{
    if ($c->[0] eq 'refuse=1') {
        $sim->misbehave(1, 'garbage-http');
        $t->get("$api/amt/generalSettings/" . $sim->guid(1), as('reader'));
    }

    # what this one answers cannot be read, but it does as it was told
    my $n = $c->[0] eq 'garbage-http' ? 7 : 1;

    $sim->misbehave($n, $c->[0]);
    my $r = deactivate($n);
    $sim->misbehave($n, 'off');
    is_answer($r, $c->[1], $c->[2], $c->[0]);
    is_kept($n, "$c->[0]: everything is kept");
}

# ---- the answer is lost: nobody knows, so nothing is deleted ----

$sim->misbehave(1, 'at:Unprovision,lost');
is_answer(deactivate(1), 504, e504($exception), 'answer lost');
is_kept(1, 'is kept');
ok($t->log_wait(qr/may be deactivated, its answer was lost/), 'is logged');

# ---- Vault does not answer: nothing is begun ----

$sim->mark;
for my $mode ('error', 'sealed') {
    $vault->mode($mode);
    is(deactivate(2)->{status}, 503, "Vault: $mode");
    $vault->mode('');
    is_kept(2, 'is kept');
}
ok(!$sim->wait_event('unprovisioned', timeout => 0.2),
    'the device was left alone');

# ---- no secret, no row: what is left is done ----

$t->get("$api/amt/generalSettings/" . $sim->guid($_), as('reader')) for 2 .. 5;
$vault->forget('devices/' . $sim->guid(2));
is_answer(deactivate(2), 200, '{"status":"SUCCESS"}', 'without secret');
is_gone(2, 'is gone');

# ---- the client leaves: it is finished all the same ----

for my $n (3) {
    $sim->misbehave($n, 'slow-drip=1');
    my $s = $t->socket('http');
    syswrite $s, 'DELETE ' . url($n) . " HTTP/1.1\r\nHost: h\r\nX-API-Key: "
        . "$key{admin}\r\n\r\n";
    ok($sim->wait_event('unprovisioned', guid => $sim->guid($n)),
        'device is told');
    close $s;
    ok($t->wait_for(sub { row($n) == 404 && !secret($n) }, 10),
        'client left: row and secret are gone');
}

# ---- Vault fails in between ----

$sim->misbehave(4, 'slow-drip=1');
{
    my $s = $t->socket('http');
    syswrite $s, 'DELETE ' . url(4) . " HTTP/1.1\r\nHost: h\r\nX-API-Key: "
        . "$key{admin}\r\nConnection: close\r\n\r\n";
    ok($sim->wait_event('unprovisioned', guid => $sim->guid(4)),
        'device is told');
    $vault->mode('error');
    like($t->exchange($s, '', 12), qr/ 200 .*\{"status":"SUCCESS"\}/s,
        'Vault fails afterwards: still a success');
    $vault->mode('');
    is(row(4), 404, 'the row is gone');
    like($t->log, qr/is deactivated, but its secrets could not be removed/,
        'the secret is not, and that is logged');
}

# ---- a worker dies in between ----

$sim->misbehave(5, 'slow-drip=2');
{
    my $s = $t->socket('http');
    syswrite $s, 'DELETE ' . url(5) . " HTTP/1.1\r\nHost: h\r\nX-API-Key: "
        . "$key{admin}\r\nConnection: close\r\n\r\n";
    ok($sim->wait_event('unprovisioned', guid => $sim->guid(5)),
        'device is told');
    kill 'KILL', $t->workers;
    delete $t->{ua};
    ok($t->wait_for(sub { $t->workers == 2 }), 'workers died');
    ok($t->wait_for(sub { my $r = row(5); $r == 200 }), 'the row is there');
    is(secret(5), 1, 'with its secret');
    is($t->delete("$api/devices/" . $sim->guid(5)
        . '?isSecretToBeDeleted=true', as('admin'))->{status}, 204,
        'and can be deleted');
    is_gone(5, 'is gone');
}

$sim->stop;

AMT::Test::done();
