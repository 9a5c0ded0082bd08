// Arguments: port, connections, seconds, and optionally a fixed rate in requests per second.
// Without a rate the loop is closed: each connection sends as soon as it has its answer. With a rate it is open: arrivals are
// Poisson, and latency counts from the intended send time, so that a stalled proxy cannot hide its stall.
using System.Diagnostics;
using System.Globalization;
using Tidegate.Load.Generator;

var port = int.Parse(args[0], CultureInfo.InvariantCulture);
var connections = int.Parse(args[1], CultureInfo.InvariantCulture);
var seconds = double.Parse(args[2], CultureInfo.InvariantCulture);
var rate = args.Length > 3 ? double.Parse(args[3], CultureInfo.InvariantCulture) : 0;

var start = Stopwatch.GetTimestamp();
var end = start + (long)(seconds * Stopwatch.Frequency);
var runs = new Task<(List<long> Latencies, int Errors)>[connections];
for (var i = 0; i < connections; i++)
    runs[i] = RunAsync(i);

var results = await Task.WhenAll(runs);
var all = new List<long>();
var errors = 0;
foreach (var result in results)
{
    all.AddRange(result.Latencies);
    errors += result.Errors;
}

all.Sort();
var elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"requests={all.Count} errors={errors} per_second={all.Count / elapsed:F0} p50_us={Percentile(0.50):F0} p99_us={Percentile(0.99):F0}"));
return errors == 0 && all.Count > 0 ? 0 : 1;

async Task<(List<long> Latencies, int Errors)> RunAsync(int seed)
{
    var random = new Random(seed);
    var latencies = new List<long>();
    var errors = 0;
    using var connection = new LoadConnection();
    await connection.ConnectAsync(port);
    var intended = Stopwatch.GetTimestamp();
    while (true)
    {
        if (rate > 0)
        {
            // Each connection carries its share of the rate; the sum of Poisson streams is one.
            intended += (long)(-Math.Log(1 - random.NextDouble()) * connections / rate * Stopwatch.Frequency);
            if (intended >= end)
                return (latencies, errors);

            while (Stopwatch.GetTimestamp() < intended)
                await (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), intended).TotalMilliseconds > 2 ? Task.Delay(1) : Yielded());
        }
        else
        {
            intended = Stopwatch.GetTimestamp();
            if (intended >= end)
                return (latencies, errors);
        }

        if (!await connection.ExchangeAsync())
            errors++;

        latencies.Add(Stopwatch.GetTimestamp() - intended);
    }
}

static async Task Yielded() => await Task.Yield();

double Percentile(double share) => all.Count == 0 ? 0 : all[(int)(share * (all.Count - 1))] * 1e6 / Stopwatch.Frequency;
