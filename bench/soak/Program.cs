// Lets a gateway serve a mixed load for minutes and looks whether anything grows: memory, the managed heap, descriptors, threads.
//   bench/soak/run [--minutes 10] [--rate 200]
// Ends with 0 when nothing grew, 1 when something did or a call failed that should not have.
using System.Globalization;
using Tidegate.Soak;

var minutes = Option("--minutes", 10);
var rate = Option("--rate", 200);
await using var upstream = await SoakUpstream.StartAsync();
await using var gateway = await SoakGateway.StartAsync(upstream.Port);
using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(minutes));
var traffic = new Traffic(gateway, rate);
var running = traffic.RunAsync(stop.Token);
var samples = await Samples.TakeAsync(gateway, traffic, stop.Token);
await running;
return samples.Judge(traffic, Console.Out) ? 0 : 1;

int Option(string name, int otherwise) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;
