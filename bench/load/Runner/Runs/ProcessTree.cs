using System.Globalization;

namespace Tidegate.Load.Runs;

/// <summary>A process and everything that it started, as the kernel accounts for them.</summary>
internal static class ProcessTree
{
    private static readonly double TicksPerSecond = double.Parse(Tool.FirstLine("getconf", "CLK_TCK")!, CultureInfo.InvariantCulture);

    public static IReadOnlyList<int> Of(int root)
    {
        var children = Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), out var id) ? id : 0)
            .Where(id => id > 0)
            .Select(id => (Id: id, Parent: Stat(id) is { } stat ? int.Parse(stat[1], CultureInfo.InvariantCulture) : 0))
            .ToLookup(entry => entry.Parent, entry => entry.Id);
        var tree = new List<int> { root };
        for (var i = 0; i < tree.Count; i++)
        {
            tree.AddRange(children[tree[i]]);
        }

        return tree;
    }

    /// <summary>User and system time so far.</summary>
    public static double CpuSeconds(int root) => Of(root).Sum(id => Stat(id) is { } stat ? Ticks(stat, 11) + Ticks(stat, 12) : 0) / TicksPerSecond;

    /// <summary>As <see cref="CpuSeconds"/>, with that of children which have ended.</summary>
    public static double CpuSecondsWithEnded(int root) => CpuSecondsWithEnded(Of(root));

    /// <summary>What the root's descendants have taken. Whoever kills them with the root sees it nowhere afterwards: nobody is left to wait for them.</summary>
    public static double CpuSecondsOfDescendants(int root) => CpuSecondsWithEnded(Of(root).Skip(1));

    public static double ResidentMegabytes(int root) => Of(root).Sum(id => Status(id, "VmRSS:")) / 1024;

    public static long Threads(int root) => (long)Of(root).Sum(id => Status(id, "Threads:"));

    public static int Descriptors(int root) => Of(root).Sum(id => Directory.GetFileSystemEntries($"/proc/{id}/fd").Length);

    /// <summary>Whether it is one of these processes that listens on a port of 127.0.0.1: a stray server must not be measured in a proxy's place.</summary>
    public static bool Listens(int root, int port)
    {
        var local = $"0100007F:{port:X4}";
        var sockets = File.ReadLines("/proc/net/tcp")
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length > 9 && fields[1] == local && fields[3] == "0A")
            .Select(fields => $"socket:[{fields[9]}]")
            .ToHashSet();
        return sockets.Count > 0 && Of(root).Any(id => Directory.EnumerateFiles($"/proc/{id}/fd").Any(file => sockets.Contains(new FileInfo(file).LinkTarget ?? "")));
    }

    // Fields of proc_pid_stat(5) after the name in parentheses: 0 is the state, 1 the parent, 11 to 14 are utime, stime, cutime and cstime.
    private static string[]? Stat(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            // It ended since it was listed.
            return null;
        }
    }

    private static double CpuSecondsWithEnded(IEnumerable<int> processes) => processes.Sum(id => Stat(id) is { } stat ? Ticks(stat, 11) + Ticks(stat, 12) + Ticks(stat, 13) + Ticks(stat, 14) : 0) / TicksPerSecond;

    private static double Ticks(string[] stat, int field) => double.Parse(stat[field], CultureInfo.InvariantCulture);

    private static double Status(int id, string name)
    {
        try
        {
            var line = File.ReadLines($"/proc/{id}/status").FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
            return line is null ? 0 : double.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
