#!/usr/bin/perl
# REST: the alarm clock - alarms come, are listed and go; dates and intervals
# as clients write them; what is refused.

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
my $api = '/api/v1/amt/alarmOccurrences';
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub list { $t->get("$api/$guid", key => $key{reader}) }
sub add { $t->post("$api/$guid", key => $key{admin}, json => $_[0]) }
sub gone { $t->delete("$api/$guid", key => $key{admin}, @_) }
sub device { $sim->instances(0, 'IPS_AlarmClockOccurrence') }

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub e400 { AMT::Fail::body('Incorrect URI or Bad Request', "$_[0]$guid.") }

my $added = '{"status":"SUCCESS","ReturnValue":0}';
my $invalid = e400('Alarm add request invalid parameters for guid : ');
my $bad = e400('Invalid alarm occurrence request for guid : ');
my $none = AMT::Fail::body('Alarm instance not found',
    "Alarm occurrence delete request failed for guid : $guid.");

# ---- an alarm's life ----

is_answer(list(), 200, '[]', 'no alarms');
is_answer(add({ ElementName => 'wake', StartTime => '2031-12-31T23:59:00.123Z',
    Interval => 1565, DeleteOnCompletion => $false }), 200, $added, 'added');
is_deeply(device(), [{ DeleteOnCompletion => 'false', ElementName => 'wake',
    InstanceID => 'wake', Interval => 'P1DT2H5M',
    StartTime => '2031-12-31T23:59:00Z' }], 'the device has it')
    or diag explain device();
my $r = list();
is($r->{status}, 200, 'listed');
is_deeply($r->{json}, [{ DeleteOnCompletion => $false, ElementName => 'wake',
    InstanceID => 'wake', StartTime => { Datetime => '2031-12-31T23:59:00Z' },
    Interval => { Interval => 'P1DT2H5M' }, InternalInMinutes => 1565,
    IntervalInMinutes => 1565 }], 'as clients know it');
like($r->{body}, qr/"InternalInMinutes":1565,"IntervalInMinutes":1565\}\]$/,
    'minutes are numbers');
is_answer(gone(json => { Name => 'wake' }), 200, '{"status":"SUCCESS"}',
    'deleted');
is_deeply(device(), [], 'the device has none');
is_answer(gone(json => { Name => 'wake' }), 404, $none, 'not twice');

# ---- names ----

for my $name ('0123', '123', "a<b>&\"'c", "\x{e9}\x{4e2d}", ' x ') {
    is_answer(add({ ElementName => $name, StartTime => '2031-01-01' }), 200,
        $added, 'a name');
    is(list()->{json}[0]{InstanceID}, $name =~ s/^ | $//gr, 'stays text')
        unless $name eq ' x ';
    $r = gone(json => { Name => $name });
    is($r->{status}, 200, 'and goes') or diag $r->{body};
}

# ---- dates, intervals, defaults ----

my %date = (
    '2031-01-02T03:04:05Z' => '2031-01-02T03:04:05Z',
    '2031-01-02T03:04' => '2031-01-02T03:04:00Z',
    '2031-01-02T03:04:05+02:00' => '2031-01-02T01:04:05Z',
    '2031-01-02' => '2031-01-02T00:00:00Z',
    'Thu, 02 Jan 2031 03:04:05 GMT' => '2031-01-02T03:04:05Z',
);
for my $text (sort keys %date) {
    is_answer(add({ ElementName => 'd', StartTime => $text }), 200, $added,
        $text);
    is(device()->[0]{StartTime}, $date{$text}, "$text on the device");
    is(device()->[0]{DeleteOnCompletion}, 'true', 'deleted on completion');
    is(device()->[0]{Interval}, 'P0DT0H0M', 'without an interval');
    is(list()->{json}[0]{IntervalInMinutes}, 0, 'minutes');
    gone(json => { Name => 'd' });
}
for my $i ([5, 'P0DT0H5M'], ['90', 'P0DT1H30M'], [0, 'P0DT0H0M'],
    [undef, 'P0DT0H0M'], ['', 'P0DT0H0M'], [1440, 'P1DT0H0M'])
{
    is(add({ ElementName => 'd', StartTime => '2031-01-02',
        Interval => $i->[0], InstanceID => 'id' })->{status}, 200,
        'interval ' . ($i->[0] // 'null'));
    is(device()->[0]{Interval}, $i->[1], 'on the device');
    is(device()->[0]{InstanceID}, 'id', 'InstanceID');
    gone(json => { Name => 'id' });
}

# ---- what is refused ----

$sim->mark;
for my $c ({}, { ElementName => 'a' }, { StartTime => '2031-01-01' },
    { ElementName => undef, StartTime => '2031-01-01' },
    { ElementName => '', StartTime => '2031-01-01' },
    { ElementName => 5, StartTime => '2031-01-01' },
    { ElementName => ['a'], StartTime => '2031-01-01' },
    { ElementName => 'a', StartTime => 'tomorrow' },
    { ElementName => 'a', StartTime => 1924988399 },
    { ElementName => 'a', StartTime => '2031-02-30' },
    { ElementName => 'a', StartTime => '2031-01-01', InstanceID => {} },
    { ElementName => 'a', StartTime => '2031-01-01', Interval => -1 },
    { ElementName => 'a', StartTime => '2031-01-01', Interval => 'P1D' },
    { ElementName => 'a', StartTime => '2031-01-01', Interval => 1e12 },
    { ElementName => 'a', StartTime => '2001-01-01' }, [],
    { ElementName => 'a' x 33, StartTime => '2031-01-01' })
{
    is_answer(add($c), 400, $invalid, 'refused: '
        . substr JSON::PP->new->canonical->encode($c), 0, 60);
}
is_deeply(device(), [], 'none of it reached the device');
is_answer($t->post("$api/$guid", key => $key{admin}), 400, $invalid,
    'no body');
for my $c ({}, { Name => '' }, { Name => undef }, { Name => 5 }, []) {
    is_answer(gone(json => $c), 400, $bad, 'delete '
        . JSON::PP->new->encode($c));
}
is_answer(gone(), 400, $bad, 'delete without a body');

for my $n (1 .. 5) {
    is(add({ ElementName => "n$n", StartTime => '2031-01-01' })->{status},
        200, "alarm $n");
}
is_answer(add({ ElementName => 'n6', StartTime => '2031-01-01' }), 400,
    e400('Alarm add request quota exceeded for guid : '), 'the sixth');
is(scalar @{list()->{json}}, 5, 'five are listed');
$sim->misbehave(0, 'return=1*1');
is_answer(add({ ElementName => 'n7', StartTime => '2031-01-01' }), 400,
    $invalid, 'a return value is told');
is_answer(add({ ElementName => 'n1', StartTime => '2031-01-01' }), 400,
    $invalid, 'the same name again');

my $audit = $t->read_file('logs/audit.log');
like($audit, qr/"guid":"$guid".*"ElementName":"n6"/, 'who added what');
like($audit, qr/"alarm.delete".*"Name":"wake"/, 'who deleted what');

# a client that leaves: the alarm is there or not, the device is well

for my $i (0 .. 10) {
    my $s = $t->socket('http');
    my $body = qq({"ElementName":"left$i","StartTime":"2031-01-01"});
    syswrite $s, "POST $api/" . $sim->guid(1) . " HTTP/1.1\r\nHost: h\r\n"
        . "X-API-Key: $key{admin}\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    Time::HiRes::sleep(0.002 * $i);
    close $s;
}
is($t->get("$api/" . $sim->guid(1), key => $key{reader})->{status}, 200,
    'clients left');

# ---- everything that goes wrong ----

my $exception = 'Exception during alarm occurrences request';
AMT::Fail::routes($t, $sim, 1,
    { path => 'alarms GET', scope => 'redirection', exception => $exception,
      ask => sub { $t->get("$api/$_[0]", @_[1 .. $#_]) } },
    { path => 'alarms POST', scope => 'power', exception => $exception,
      failed => 'Alarm add request invalid parameters for guid : ',
      ask => sub { $t->post("$api/$_[0]", @_[1 .. $#_], json => {
          ElementName => 'z', StartTime => '2031-01-01' }) } },
    { path => 'alarms DELETE', scope => 'reader', exception => $exception,
      except => { fault => '404 ' . AMT::Fail::body('Alarm instance not found',
          'Alarm occurrence delete request failed for guid : '
          . $sim->guid(1) . '.') },
      ask => sub { $t->delete("$api/$_[0]", @_[1 .. $#_],
          json => { Name => 'z' }) } });

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
