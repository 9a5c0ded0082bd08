using System.Runtime.InteropServices;

namespace Tidegate.Control.Metrics;

/// <summary>What the process itself takes: processor, memory, garbage collector, thread pool.</summary>
internal sealed class ProcessMetrics(string version, DateTimeOffset started)
{
    private static readonly MetricDescription Build = new("tidegate_build_info", "tidegate.build", "1", MetricKind.Gauge, "Always 1; the labels say what runs.");
    private static readonly MetricDescription Start = new("process_start_time_seconds", "process.start_time", "s", MetricKind.Gauge, "When the process started, in seconds since 1970.");
    private static readonly MetricDescription Cpu = new("process_cpu_seconds_total", "process.cpu.time", "s", MetricKind.Counter, "Processor time of the process, user and system.");
    private static readonly MetricDescription Resident = new("process_resident_memory_bytes", "process.memory.usage", "By", MetricKind.Gauge, "Memory of the process that is in RAM.");
    private static readonly MetricDescription Descriptors = new("process_open_fds", "process.open_file_descriptor.count", "{file_descriptor}", MetricKind.Gauge, "Open file descriptors, sockets included.");
    private static readonly MetricDescription Heap = new("dotnet_gc_heap_bytes", "dotnet.gc.heap.size", "By", MetricKind.Gauge, "Managed memory in use, with what no longer is and was not collected yet.");
    private static readonly MetricDescription Allocated = new("dotnet_gc_allocated_bytes_total", "dotnet.gc.heap.total_allocated", "By", MetricKind.Counter, "Managed memory allocated since the start.");
    private static readonly MetricDescription Pauses = new("dotnet_gc_pause_seconds_total", "dotnet.gc.pause.time", "s", MetricKind.Counter, "Time that the garbage collector kept the process standing.");
    private static readonly MetricDescription Collections = new("dotnet_gc_collections_total", "dotnet.gc.collections", "{collection}", MetricKind.Counter, "Garbage collections by generation.");
    private static readonly MetricDescription Threads = new("dotnet_thread_pool_threads", "dotnet.thread_pool.thread.count", "{thread}", MetricKind.Gauge, "Threads of the thread pool.");
    private static readonly MetricDescription QueueLength = new("dotnet_thread_pool_queue_length", "dotnet.thread_pool.queue.length", "{work_item}", MetricKind.Gauge, "Work that waits for a thread.");
    private static readonly MetricDescription Completed = new("dotnet_thread_pool_completed_items_total", "dotnet.thread_pool.work_item.count", "{work_item}", MetricKind.Counter, "Work that the thread pool has done.");
    private static readonly MetricDescription Contentions = new("dotnet_lock_contentions_total", "dotnet.monitor.lock_contentions", "{contention}", MetricKind.Counter, "Times that a thread had to wait for a lock.");

    private static readonly MetricLabelName Version = new("version", "tidegate.version");
    private static readonly MetricLabelName Runtime = new("runtime", "process.runtime.version");
    private static readonly MetricLabelName Generation = new("generation", "dotnet.gc.heap.generation");

    // The runtime counts a collection under each generation that it looked at; here it is under the oldest only, as OpenTelemetry has it.
    private static readonly string[] Generations = ["gen0", "gen1", "gen2"];

    public void Write(IMetricWriter writer)
    {
        Single(writer, Build, 1, new(Version, version), new(Runtime, RuntimeInformation.FrameworkDescription));
        Single(writer, Start, started.ToUnixTimeMilliseconds() / 1000.0);
        Single(writer, Cpu, Environment.CpuUsage.TotalTime.TotalSeconds);
        Single(writer, Resident, Environment.WorkingSet);
        if (OperatingSystem.IsLinux())
        {
            Single(writer, Descriptors, Directory.GetFileSystemEntries("/proc/self/fd").Length);
        }

        Single(writer, Heap, GC.GetTotalMemory(forceFullCollection: false));
        Single(writer, Allocated, GC.GetTotalAllocatedBytes());
        Single(writer, Pauses, GC.GetTotalPauseDuration().TotalSeconds);
        writer.Begin(Collections);
        for (var generation = 0; generation < Generations.Length; generation++)
        {
            var older = generation + 1 < Generations.Length ? GC.CollectionCount(generation + 1) : 0;
            writer.Write(Math.Max(0, GC.CollectionCount(generation) - older), [new(Generation, Generations[generation])]);
        }

        Single(writer, Threads, ThreadPool.ThreadCount);
        Single(writer, QueueLength, ThreadPool.PendingWorkItemCount);
        Single(writer, Completed, ThreadPool.CompletedWorkItemCount);
        Single(writer, Contentions, Monitor.LockContentionCount);
    }

    private static void Single(IMetricWriter writer, MetricDescription metric, double value, params ReadOnlySpan<MetricLabel> labels)
    {
        writer.Begin(metric);
        writer.Write(value, labels);
    }
}
