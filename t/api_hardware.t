#!/usr/bin/perl
# REST: hardware of a device - order and shape of the answer, one and many
# items, classes that the firmware lacks.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (10 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2);
my $old = AMT::Api::devices($t, guid => 'c0000000-0000-4000-8000-000000000001',
    without => 'CIM_Chip,CIM_BIOSElement,CIM_PhysicalMemory');
my $guid = $sim->guid(0);
my $api = '/api/v1/amt/hardwareInfo';

sub hardware {
    my ($g) = @_;
    return $t->get("$api/" . ($g // $guid), key => $key{reader});
}

my $r = hardware();
is($r->{status}, 200, 'hardware');
my $hw = $r->{json};

# keys in the contract's order; the nested objects hold the same names
my $at = -1;
for my $class (qw(CIM_ComputerSystemPackage CIM_SystemPackaging CIM_Chassis
    CIM_Chip CIM_Card CIM_BIOSElement CIM_Processor CIM_PhysicalMemory
    CIM_MediaAccessDevice CIM_PhysicalPackage))
{
    my $first = $class =~ /Package$|Chassis|Card|BIOS/
        && $class ne 'CIM_PhysicalPackage' ? '"response":\{' : '"responses":\[';
    ok($r->{body} =~ /"$class":\{$first/, "$class is there");
    cmp_ok($-[0], '>', $at, "$class in order");
    $at = $-[0];
    is($hw->{$class}{status}, 200, "$class: status");
}
is(scalar keys %$hw, 10, 'ten classes');

for my $class (qw(CIM_ComputerSystemPackage CIM_Chassis CIM_Card
    CIM_BIOSElement))
{
    my $h = $hw->{$class};
    is(scalar @{$h->{responses}}, 1, "$class: one envelope");
    is_deeply($h->{responses}[0]{Body}, { $class => $h->{response} },
        "$class: its body");
    like($h->{responses}[0]{Header}{ResourceURI}, qr{/$class$},
        "$class: its header");
    like($r->{body}, qr/"$class":\{"response":\{.*?\},"responses":\[\{"Header":
        \{"To":"[^"]*","RelatesTo":\d+,"Action"/x, "$class: order");
}

is_deeply($hw->{CIM_ComputerSystemPackage}{response}{Dependent}, {
    Address => 'http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous',
    ReferenceParameters => { ResourceURI => 'http://schemas.dmtf.org/wbem/'
        . 'wscim/1/cim-schema/2/CIM_ComputerSystem', SelectorSet => {
        Selector => ['CIM_ComputerSystem', 'ManagedSystem'] } } },
    'a reference');
is_deeply($hw->{CIM_SystemPackaging}{responses},
    [$hw->{CIM_ComputerSystemPackage}{response}], 'packaging');
is(ref $hw->{CIM_Chip}{responses}[0], 'ARRAY', 'several chips: a list in it');
is(scalar @{$hw->{CIM_Chip}{responses}[0]}, 2, 'of two');
is(ref $hw->{CIM_Processor}{responses}[0], 'HASH', 'one processor');
is($hw->{CIM_Processor}{responses}[0]{MaxClockSpeed}, 4700, 'a number');
is_deeply([map { $_->{SerialNumber} } @{$hw->{CIM_PhysicalMemory}{responses}}],
    ['00A1B2C3', '00A1B2C4'], 'memory is a flat list');
is(scalar @{$hw->{CIM_MediaAccessDevice}{responses}}, 2, 'so are media');
is(scalar @{$hw->{CIM_PhysicalPackage}{responses}}, 1, 'one package');
is($hw->{CIM_PhysicalPackage}{responses}[0]{CreationClassName}, 'CIM_Card',
    'of the card, not of the chassis');
is_deeply($hw->{CIM_BIOSElement}{response}{ReleaseDate},
    { Datetime => '2024-03-14T00:00:00Z' }, 'a date');

# ---- what the machine tells is what is told ----

$sim->set(0, 'CIM_Chassis.Model', '<&"> 12');
$sim->set(0, 'CIM_PhysicalMemory[1].SerialNumber', '04212600');
$hw = hardware()->{json};
is($hw->{CIM_Chassis}{response}{Model}, '<&"> 12', 'text of the device');
is($hw->{CIM_PhysicalMemory}{responses}[1]{SerialNumber}, '04212600',
    'a serial number keeps its zero');
$sim->add(0, 'CIM_Processor', 'DeviceID=CPU 1|MaxClockSpeed=1000');
$hw = hardware()->{json};
is_deeply([map { $_->{MaxClockSpeed} } @{$hw->{CIM_Processor}{responses}[0]}],
    [4700, 1000], 'two processors');

# ---- firmware that lacks classes ----

$hw = hardware($old->guid(0))->{json};
is_deeply($hw->{CIM_Chip}, { responses => [undef], status => 400 },
    'no chips');
is_deeply($hw->{CIM_PhysicalMemory}, { responses => [], status => 400 },
    'no memory');
is($hw->{CIM_BIOSElement}{status}, 400, 'no BIOS');
ok(!exists $hw->{CIM_BIOSElement}{response}, 'no response');
ok($hw->{CIM_BIOSElement}{responses}[0]{Body}{Fault}, 'but the fault');
is($hw->{CIM_Chassis}{status}, 200, 'the rest is there');

# ---- everything that goes wrong ----

AMT::Fail::routes($t, $sim, 1,
    { path => 'hardwareInfo', scope => 'redirection',
      ask => sub { $t->get("$api/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during AMT Hardware Information request' });

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
is($old->stop, 0, 'with old firmware, too') or diag $old->log;

AMT::Test::done();
