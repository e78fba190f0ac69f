#!/usr/bin/perl
# REST: audit log and event log of a device - records, paging, ends of the
# log, and every way to refuse.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (5 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2);
my $guid = $sim->guid(0);
my $api = '/api/v1/amt/log';

sub audit {
    my ($start) = @_;
    return $t->get("$api/audit/$guid"
        . (defined $start ? "?startIndex=$start" : ''), key => $key{reader});
}

# the times of a page tell which records it holds, from the oldest, 1
sub indices {
    my ($r) = @_;
    return [ map {
        my ($h, $m) = $_->{Time} =~ /^2024-05-04T(\d\d):(\d\d):20\.000Z$/;
        defined $h ? ($h - 12) * 60 + $m - 37 + 1 : $_->{Time};
    } @{$r->{json}{records} || []} ];
}

sub page {
    my ($start, $total, $from, $to, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = audit($start);
    is($r->{status}, 200, $name) or diag $r->{body};
    is($r->{json}{totalCnt}, $total, "$name: total");
    is_deeply(indices($r), [reverse $from .. $to], "$name: records")
        or diag explain indices($r);
}

# ---- audit log ----

my $r = audit();
is($r->{status}, 200, 'audit log');
like($r->{body}, qr/^\{"totalCnt":32,"records":\[\{"AuditAppID":32,"EventID":
    0,"InitiatorType":2,"AuditApp":"Screen\ Blanking","Event":"\#0",
    "Initiator":"Local","Time":"2024-05-04T13:08:20\.000Z",
    "MCLocationType":2,"NetAddress":"","Ex":"","ExStr":null\},/x, 'its shape');
is($r->{json}{records}[1]{ExStr}, 'Success', 'extended data');
is($r->{json}{records}[2]{Ex}, "\0\xff", 'bytes as code points');

page(undef, 32, 23, 32, 'no index');
page(0, 32, 23, 32, 'index 0');
page(1, 32, 23, 32, 'index 1');
page(2, 32, 22, 31, 'index 2');
page(11, 32, 13, 22, 'second page');
page(12, 32, 12, 21, 'the page that the first answer is');
page(21, 32, 3, 12, 'third page');
page(31, 32, 1, 2, 'last page, nothing twice');
page(32, 32, 1, 1, 'the oldest one');
page(33, 32, 1, 0, 'past the end');
page('4294967296', 32, 1, 0, 'far past it');
page('2.9', 32, 22, 31, 'a fraction');

$r = audit(25);
my ($kerberos) = grep { $_->{InitiatorType} == 1 }
    @{audit(21)->{json}{records}};
is($kerberos->{Initiator}, 'S-1-5-21-1000-2000', 'a SID');

$sim->set(0, 'audit-records', 1);
page(undef, 1, 1, 1, 'a single record');
$sim->set(0, 'audit-records', 0);
is(audit()->{body}, '{"totalCnt":0,"records":[]}', 'an empty log');
is(audit(5)->{body}, '{"totalCnt":0,"records":[]}', 'behind an empty log');
$sim->set(0, 'audit-records', 500);
page(undef, 500, 491, 500, 'a long log');
page(301, 500, 191, 200, 'in its middle');
$sim->set(0, 'audit-page', 3);
page(1, 500, 498, 500, 'fewer in an answer');
$sim->set(0, 'audit-page', 400);
page(1, 500, 101, 500, 'more in an answer');
$sim->set(0, 'audit-page', 10);
$sim->set(0, 'audit-records', 32);

for my $bad ('-1', 'x', '', '1e3', '0x1', '%201') {
    $r = audit($bad);
    is($r->{status}, 400, "startIndex=$bad") or diag $r->{body};
    is($r->{json}{errors}[0]{path}, 'startIndex', "$bad: field");
}
is(audit('-0')->{status}, 200, 'startIndex=-0');
$r = $t->get("$api/audit/$guid?startIndex=1&startIndex=2",
    key => $key{reader});
is($r->{status}, 400, 'a list of them');

# ---- event log ----

sub event {
    my ($query) = @_;
    return $t->get("$api/event/$guid" . ($query // ''), key => $key{reader});
}

$r = event();
is($r->{status}, 200, 'event log');
is(scalar @{$r->{json}}, 390, 'all records');
like($r->{body}, qr/^\[\{"DeviceAddress":255,"EventSensorType":15,"EventType":
    111,"EventOffset":2,"EventSourceType":104,"EventSeverity":1,
    "SensorNumber":255,"Entity":34,"EntityInstance":1,
    "EventData":\[64,19,0,0,0,0,0,0\],
    "TimeStamp":"2024-05-04T12:37:20\.000Z","EntityStr":"BIOS",
    "Desc":"Starting\ operating\ system\ boot\ process"\},/x, 'shape');
ok(!exists $r->{json}[20]{TimeStamp}, 'a record without a time');
is($r->{json}[5]{Desc},
    'Agent watchdog 00112233-4455-... changed to Stopped', 'a watchdog');
ok(!exists $r->{json}[0]{Time}, 'no Time in the bare list');
is(event('?x=1&top=3')->{body}, $r->{body}, 'other arguments are ignored');

my $p = event('?$top=3');
is(scalar @{$p->{json}{records}}, 3, 'three records');
is($p->{json}{hasMoreRecords}, JSON::PP::true, 'there are more');
is($p->{json}{records}[0]{Time}, $r->{json}[0]{TimeStamp}, 'with Time');
$p = event('?%24skip=389&%24top=120');
is(scalar @{$p->{json}{records}}, 1, 'the last record');
is($p->{json}{hasMoreRecords}, JSON::PP::false, 'there are no more');
is(event('?$skip=500')->{body}, '{"records":[],"hasMoreRecords":false}',
    'behind the end');
is(scalar @{event('?$skip=0')->{json}{records}}, 390, 'without $top: all');
for my $bad ('$top=-1', '$top=x', '$skip=1.5', '$skip=', '$top=1&$top=2') {
    is(event("?$bad")->{status}, 400, $bad);
}

$sim->set(0, 'event-page', 7);
is(event()->{body}, $r->{body}, 'in many answers');
$sim->set(0, 'event-page', 390);
$sim->set(0, 'event-records', 1);
is(scalar @{event()->{json}}, 1, 'a list of one');
$sim->set(0, 'event-records', 0);
is(event()->{body}, '[]', 'an empty log');
is(event('?$top=5')->{body}, '{"records":[],"hasMoreRecords":false}',
    'its page');
$sim->set(0, 'event-records', 390);

# ---- return values ----

for my $c (['audit', 'AuditLog'], ['event', 'Event Log']) {
    $sim->misbehave(0, 'return=1');
    $r = $t->get("$api/$c->[0]/$guid", key => $key{reader});
    $sim->misbehave(0, 'off');
    is("$r->{status} $r->{body}", '500 ' . AMT::Fail::body(
        'Internal Server Error', "Exception during AMT $c->[1] request"),
        "$c->[0]: an internal error of the device");
}

# ---- everything that goes wrong ----

AMT::Fail::routes($t, $sim, 1,
    { path => 'log/audit', scope => 'redirection',
      ask => sub { $t->get("$api/audit/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during AMT AuditLog request' },
    { path => 'log/event', scope => 'redirection',
      ask => sub { $t->get("$api/event/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during AMT Event Log request' });

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
