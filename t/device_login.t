#!/usr/bin/perl
# What is learned from a device's answers: a login counts when the WSMAN
# service answered, and what a device makes too large is its own fault.

use strict;
use warnings;
use Test::More;
use AMT::Api;

my %key = %AMT::Api::key;
my ($t, $vault) = AMT::Api::start();
my $sim = AMT::Api::devices($t, count => 1, power_delay => 1);
my $guid = $sim->guid(0);

sub reads { scalar grep { $_ eq "GET data/devices/$guid" } $vault->calls }
sub settings {
    $t->get("/api/v1/amt/generalSettings/$guid", key => $key{admin})->{status}
}

# the challenge, then an error page for the request with credentials
my $n = reads();
$sim->misbehave(0, 'status=503*1');
is(settings(), 500, 'an error page in front of the service');
is(reads(), $n + 1, 'the password was read');
is(settings(), 200, 'the service itself');
is(reads(), $n + 2, 'the password was read again: the page proved nothing');
is(settings(), 200, 'once more');
is(reads(), $n + 2, 'what the service accepted is kept');

# what is kept ends with the password
is($t->patch('/api/v1/devices', key => $key{admin}, json => { guid => $guid,
    amtpassword => 'P@ssw0rd' })->{status}, 200, 'the password is written');
$n = reads();
is(settings(), 200, 'a call after it');
is(reads(), $n + 1, 'reads it');
is(settings(), 200, 'one more');
is(reads(), $n + 1, 'does not');

# a fault is an answer of the service
$t->delete("/api/v1/devices/refresh/$guid", key => $key{admin});
$n = reads();
$sim->misbehave(0, 'fault=1*1');
settings();
is(reads(), $n + 1, 'the password was read');
is(settings(), 200, 'no fault');
is(reads(), $n + 1, 'and not again');

# a pending password becomes the current one by an answer that proves it, not
# by a refusal, which may come before credentials are looked at
my %left = (AMT_PASSWORD => 'Old!2345', AMT_PASSWORD_PENDING => 'P@ssw0rd',
    MPS_PASSWORD => 'P@ssw0rd');
$vault->put("devices/$guid", \%left);
$t->delete("/api/v1/devices/refresh/$guid", key => $key{admin});
$sim->misbehave(0, 'fault=2');
settings();
is_deeply($vault->get("devices/$guid"), \%left, 'access denied: both stay');
$sim->misbehave(0, 'off');
is(settings(), 200, 'an answer');
is_deeply($vault->get("devices/$guid"), { AMT_PASSWORD => 'P@ssw0rd',
    MPS_PASSWORD => 'P@ssw0rd' }, 'the pending one is the current one');

# boot settings that do not fit back into a request
my (%got, $r);
for (my $size = 30_000; $size <= 33_000; $size += 300) {
    $sim->set(0, 'AMT_BootSettingData.ElementName', 'x' x $size);
    $r = $t->post("/api/v1/amt/power/action/$guid", key => $key{admin},
        json => { action => 8 });
    $got{$r->{status}}++;
}
is(join(' ', sort keys %got), '200 500',
    'it fits, or it is the device that is wrong, not the caller');
like($t->log, qr/AMT_BootSettingData: request does not fit an envelope/,
    'as a whole');
like($t->log, qr/boot settings too large/, 'or the settings alone');
$sim->set(0, 'AMT_BootSettingData.ElementName', 'x');
$r = $t->post("/api/v1/amt/power/action/$guid", key => $key{admin},
    json => { action => 8 });
is($r->{status}, 200, 'and an ordinary one');

$sim->stop;
$t->done;
