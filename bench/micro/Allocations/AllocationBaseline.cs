using System.Text.Json;

namespace Tidegate.Benchmarks.Allocations;

/// <summary><c>bench/micro/baseline.json</c>: the bytes that each operation may allocate. It only ever goes down without a reason in its commit.</summary>
internal sealed class AllocationBaseline(Dictionary<string, long> bytes)
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    public IEnumerable<string> Names => bytes.Keys;

    public static AllocationBaseline Read() => new(JsonSerializer.Deserialize<Dictionary<string, long>>(File.ReadAllText(FilePath()))!);

    public static void Write(IReadOnlyDictionary<string, long> measured) => File.WriteAllText(FilePath(), JsonSerializer.Serialize(measured, Readable) + "\n");

    /// <exception cref="KeyNotFoundException">The operation is new: run <c>bench/micro/check-allocations --update</c> and commit the file.</exception>
    public long Of(string operation) => bytes.TryGetValue(operation, out var allowed)
        ? allowed
        : throw new KeyNotFoundException($"baseline.json does not name '{operation}'. Run bench/micro/check-allocations --update and commit the file.");

    private static string FilePath() => PathOf("bench/micro/baseline.json");

    /// <summary>A file of the repository, wherever the process runs in it.</summary>
    public static string PathOf(string file)
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "tidegate.slnx")))
            {
                return Path.Combine(directory.FullName, file);
            }
        }

        throw new FileNotFoundException("This is not inside the repository: no tidegate.slnx above " + AppContext.BaseDirectory);
    }
}
