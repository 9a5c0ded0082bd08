using System.Text;

namespace Tidegate.Host.Demo;

/// <summary>What the gateway has to say, kept for the screen: a line written between two drawings would tear it.</summary>
internal sealed class DemoNotes : TextWriter
{
    private const int Kept = 5;

    private readonly Lock _lock = new();
    private readonly Queue<string> _latest = new();
    private readonly Queue<string> _untaken = new();

    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>The last few lines.</summary>
    public IReadOnlyList<string> Latest
    {
        get
        {
            lock (_lock)
            {
                return [.. _latest];
            }
        }
    }

    /// <summary>The lines since the last time, at most a few.</summary>
    public IReadOnlyList<string> Take()
    {
        lock (_lock)
        {
            var taken = _untaken.ToList();
            _untaken.Clear();
            return taken;
        }
    }

    public override void WriteLine(string? value)
    {
        lock (_lock)
        {
            foreach (var queue in (ReadOnlySpan<Queue<string>>)[_latest, _untaken])
            {
                queue.Enqueue(value ?? "");
                if (queue.Count > Kept)
                {
                    queue.Dequeue();
                }
            }
        }
    }
}
