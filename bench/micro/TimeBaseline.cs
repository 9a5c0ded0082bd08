using System.Text.Json;
using Tidegate.Benchmarks.Allocations;

namespace Tidegate.Benchmarks;

/// <summary>
/// <c>bench/micro/times.json</c>: what operations took at best, in nanoseconds, on the machine that the reference names. To compare with by eye: another machine has other figures,
/// so that nothing fails for them.
/// </summary>
internal sealed class TimeBaseline
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    private readonly SortedDictionary<string, double> _nanoseconds = File.Exists(FilePath) ? JsonSerializer.Deserialize<SortedDictionary<string, double>>(File.ReadAllText(FilePath))! : [];

    private static string FilePath => AllocationBaseline.PathOf("bench/micro/times.json");

    public double? Of(string operation) => _nanoseconds.TryGetValue(operation, out var nanoseconds) ? nanoseconds : null;

    public void Set(string operation, double nanoseconds) => _nanoseconds[operation] = Math.Round(nanoseconds, 1);

    public void Write() => File.WriteAllText(FilePath, JsonSerializer.Serialize(_nanoseconds, Readable) + "\n");
}
