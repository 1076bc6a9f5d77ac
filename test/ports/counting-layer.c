// A Vulkan layer that shows any driver as a discrete GPU with heaps of chosen sizes, and counts what is allocated
// from each memory type. The driver below takes all memory from its own first type.
//
// From the environment, when the instance is made:
//   COUNTING_LAYER_LOG          the file that has the counts, mapped: see struct Counts
//   COUNTING_LAYER_VRAM_MIB     the size of the heap of device memory
//   COUNTING_LAYER_HOST_MIB     the size of the heap of host memory
//   COUNTING_LAYER_BAR          device memory that the host can map: "none", "small" (246 MiB) or "full"
//   COUNTING_LAYER_ALLOCATIONS  the most live allocations, as maxMemoryAllocationCount; 0 for no limit

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

enum { NO_FLAGS, DEVICE_MEMORY, HOST_COHERENT, HOST_CACHED, MAPPABLE_DEVICE_MEMORY, TYPES };

struct TypeCounts {
  uint64_t bytes, peak_bytes, allocations, live;
};

// Readers know this order: 64-bit words, TypeCounts for each type, then the rest.
struct Counts {
  struct TypeCounts types[TYPES];
  uint64_t device_bytes, peak_device_bytes; // both types of device memory
  uint64_t live, peak_live;                 // allocations of all types
  uint64_t refused;                         // allocations over the limit
  uint64_t submissions;
};

struct Allocation {
  VkDeviceMemory memory;
  uint32_t type;
  uint64_t bytes;
};

static struct Counts unread, *counts = &unread;
static struct Allocation *allocations;
static size_t allocations_length, allocations_capacity;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static VkInstance instance;
static PFN_vkGetInstanceProcAddr next_instance_proc;
static PFN_vkGetDeviceProcAddr next_device_proc;
static PFN_vkGetPhysicalDeviceProperties next_properties;
static PFN_vkGetPhysicalDeviceProperties2 next_properties2;
static PFN_vkGetPhysicalDeviceMemoryProperties2 next_memory_properties2;
static PFN_vkAllocateMemory next_allocate;
static PFN_vkFreeMemory next_free;
static PFN_vkGetBufferMemoryRequirements next_buffer_requirements;
static PFN_vkGetBufferMemoryRequirements2 next_buffer_requirements2;
static PFN_vkGetImageMemoryRequirements next_image_requirements;
static PFN_vkGetImageMemoryRequirements2 next_image_requirements2;
static PFN_vkQueueSubmit next_submit;

static uint64_t number(const char *name, uint64_t otherwise) {
  const char *value = getenv(name);
  return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

static int bar_is(const char *size) {
  const char *value = getenv("COUNTING_LAYER_BAR");
  return strcmp(value == NULL ? "full" : value, size) == 0;
}

static uint32_t number_of_types(void) { return bar_is("none") ? TYPES - 1 : TYPES; }

static uint32_t all_types(void) { return (1u << number_of_types()) - 1; }

static void open_log(void) {
  const char *path = getenv("COUNTING_LAYER_LOG");
  if (path == NULL || counts != &unread) return;
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ftruncate(file, sizeof(struct Counts)) != 0) return;
  void *mapped = mmap(NULL, sizeof(struct Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) counts = mapped;
  close(file);
}

// What the GPU says of itself.

static void describe_memory(VkPhysicalDeviceMemoryProperties *memory) {
  const VkMemoryPropertyFlags device = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  const VkMemoryPropertyFlags coherent =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  const VkMemoryPropertyFlags cached = coherent | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  const int has_small_bar = bar_is("small");
  const VkMemoryType types[TYPES] = {
      [NO_FLAGS] = {0, 1},
      [DEVICE_MEMORY] = {device, 0},
      [HOST_COHERENT] = {coherent, 1},
      [HOST_CACHED] = {cached, 1},
      [MAPPABLE_DEVICE_MEMORY] = {device | coherent, has_small_bar ? 2 : 0},
  };
  memset(memory, 0, sizeof *memory);
  memory->memoryTypeCount = number_of_types();
  memcpy(memory->memoryTypes, types, sizeof types);
  memory->memoryHeapCount = has_small_bar ? 3 : 2;
  memory->memoryHeaps[0] = (VkMemoryHeap){number("COUNTING_LAYER_VRAM_MIB", 8192) << 20,
                                          VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
  memory->memoryHeaps[1] = (VkMemoryHeap){number("COUNTING_LAYER_HOST_MIB", 24576) << 20, 0};
  if (has_small_bar) {
    memory->memoryHeaps[2] = (VkMemoryHeap){246ull << 20, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
  }
}

static VKAPI_ATTR void VKAPI_CALL memory_properties(VkPhysicalDevice gpu,
                                                    VkPhysicalDeviceMemoryProperties *memory) {
  (void)gpu;
  describe_memory(memory);
}

static VKAPI_ATTR void VKAPI_CALL memory_properties2(VkPhysicalDevice gpu,
                                                     VkPhysicalDeviceMemoryProperties2 *memory) {
  next_memory_properties2(gpu, memory);
  describe_memory(&memory->memoryProperties);
  for (VkBaseOutStructure *next = memory->pNext; next != NULL; next = next->pNext) {
    if (next->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)next;
    for (uint32_t i = 0; i < VK_MAX_MEMORY_HEAPS; i++) {
      budget->heapBudget[i] = memory->memoryProperties.memoryHeaps[i].size;
      budget->heapUsage[i] = 0;
    }
  }
}

static void describe_limits(VkPhysicalDeviceLimits *limits) {
  const uint64_t most = number("COUNTING_LAYER_ALLOCATIONS", 0);
  if (most > 0) limits->maxMemoryAllocationCount = (uint32_t)most;
}

static VKAPI_ATTR void VKAPI_CALL properties(VkPhysicalDevice gpu, VkPhysicalDeviceProperties *into) {
  next_properties(gpu, into);
  describe_limits(&into->limits);
}

static VKAPI_ATTR void VKAPI_CALL properties2(VkPhysicalDevice gpu, VkPhysicalDeviceProperties2 *into) {
  next_properties2(gpu, into);
  describe_limits(&into->properties.limits);
}

static VKAPI_ATTR void VKAPI_CALL buffer_requirements(VkDevice device, VkBuffer buffer,
                                                      VkMemoryRequirements *needs) {
  next_buffer_requirements(device, buffer, needs);
  needs->memoryTypeBits = all_types();
}

static VKAPI_ATTR void VKAPI_CALL buffer_requirements2(VkDevice device,
                                                       const VkBufferMemoryRequirementsInfo2 *buffer,
                                                       VkMemoryRequirements2 *needs) {
  next_buffer_requirements2(device, buffer, needs);
  needs->memoryRequirements.memoryTypeBits = all_types();
}

static VKAPI_ATTR void VKAPI_CALL image_requirements(VkDevice device, VkImage image,
                                                     VkMemoryRequirements *needs) {
  next_image_requirements(device, image, needs);
  needs->memoryTypeBits = all_types();
}

static VKAPI_ATTR void VKAPI_CALL image_requirements2(VkDevice device,
                                                      const VkImageMemoryRequirementsInfo2 *image,
                                                      VkMemoryRequirements2 *needs) {
  next_image_requirements2(device, image, needs);
  needs->memoryRequirements.memoryTypeBits = all_types();
}

// What is counted.

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

static int is_device_memory(uint32_t type) {
  return type == DEVICE_MEMORY || type == MAPPABLE_DEVICE_MEMORY;
}

static void count(struct Allocation made) {
  if (allocations_length == allocations_capacity) {
    allocations_capacity = allocations_capacity == 0 ? 1024 : 2 * allocations_capacity;
    allocations = realloc(allocations, allocations_capacity * sizeof *allocations);
    if (allocations == NULL) abort();
  }
  allocations[allocations_length++] = made;
  struct TypeCounts *type = &counts->types[made.type];
  type->bytes += made.bytes;
  type->peak_bytes = most(type->peak_bytes, type->bytes);
  type->allocations++;
  type->live++;
  counts->live++;
  counts->peak_live = most(counts->peak_live, counts->live);
  if (!is_device_memory(made.type)) return;
  counts->device_bytes += made.bytes;
  counts->peak_device_bytes = most(counts->peak_device_bytes, counts->device_bytes);
}

static void count_freed(VkDeviceMemory memory) {
  for (size_t i = 0; i < allocations_length; i++) {
    if (allocations[i].memory != memory) continue;
    const struct Allocation freed = allocations[i];
    allocations[i] = allocations[--allocations_length];
    counts->types[freed.type].bytes -= freed.bytes;
    counts->types[freed.type].live--;
    counts->live--;
    if (is_device_memory(freed.type)) counts->device_bytes -= freed.bytes;
    return;
  }
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device, const VkMemoryAllocateInfo *wanted,
                                                      const VkAllocationCallbacks *callbacks,
                                                      VkDeviceMemory *memory) {
  const uint64_t limit = number("COUNTING_LAYER_ALLOCATIONS", 0);
  VkMemoryAllocateInfo from_first_type = *wanted;
  from_first_type.memoryTypeIndex = 0;
  VkResult result = VK_ERROR_TOO_MANY_OBJECTS;
  pthread_mutex_lock(&lock);
  if (limit > 0 && counts->live >= limit) {
    counts->refused++;
  } else {
    result = next_allocate(device, &from_first_type, callbacks, memory);
    if (result == VK_SUCCESS) {
      count((struct Allocation){*memory, wanted->memoryTypeIndex, wanted->allocationSize});
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                              const VkAllocationCallbacks *callbacks) {
  pthread_mutex_lock(&lock);
  if (memory != VK_NULL_HANDLE) count_freed(memory);
  next_free(device, memory, callbacks);
  pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_submit(VkQueue queue, uint32_t length,
                                                   const VkSubmitInfo *submissions, VkFence fence) {
  __atomic_add_fetch(&counts->submissions, 1, __ATOMIC_RELAXED);
  return next_submit(queue, length, submissions, fence);
}

// How the loader finds these functions.

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *callbacks,
                                                      VkInstance *made) {
  VkLayerInstanceCreateInfo *link = (void *)info->pNext;
  while (link != NULL && !(link->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO &&
                           link->function == VK_LAYER_LINK_INFO)) {
    link = (void *)link->pNext;
  }
  if (link == NULL) return VK_ERROR_INITIALIZATION_FAILED;
  next_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  PFN_vkCreateInstance next = (PFN_vkCreateInstance)next_instance_proc(NULL, "vkCreateInstance");
  const VkResult result = next(info, callbacks, made);
  if (result != VK_SUCCESS) return result;
  instance = *made;
  open_log();
#define NEXT(variable, name) variable = (void *)next_instance_proc(instance, name)
  NEXT(next_properties, "vkGetPhysicalDeviceProperties");
  NEXT(next_properties2, "vkGetPhysicalDeviceProperties2");
  NEXT(next_memory_properties2, "vkGetPhysicalDeviceMemoryProperties2");
#undef NEXT
  return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice gpu, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks,
                                                    VkDevice *made) {
  VkLayerDeviceCreateInfo *link = (void *)info->pNext;
  while (link != NULL && !(link->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO &&
                           link->function == VK_LAYER_LINK_INFO)) {
    link = (void *)link->pNext;
  }
  if (link == NULL) return VK_ERROR_INITIALIZATION_FAILED;
  PFN_vkGetInstanceProcAddr instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  next_device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  PFN_vkCreateDevice next = (PFN_vkCreateDevice)instance_proc(instance, "vkCreateDevice");
  const VkResult result = next(gpu, info, callbacks, made);
  if (result != VK_SUCCESS) return result;
#define NEXT(variable, name) variable = (void *)next_device_proc(*made, name)
  NEXT(next_allocate, "vkAllocateMemory");
  NEXT(next_free, "vkFreeMemory");
  NEXT(next_buffer_requirements, "vkGetBufferMemoryRequirements");
  NEXT(next_buffer_requirements2, "vkGetBufferMemoryRequirements2");
  NEXT(next_image_requirements, "vkGetImageMemoryRequirements");
  NEXT(next_image_requirements2, "vkGetImageMemoryRequirements2");
  NEXT(next_submit, "vkQueueSubmit");
#undef NEXT
  return VK_SUCCESS;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance_proc(VkInstance of, const char *name);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc(VkDevice of, const char *name);

static const struct {
  const char *name;
  PFN_vkVoidFunction function;
} own[] = {
    {"vkGetInstanceProcAddr", (PFN_vkVoidFunction)get_instance_proc},
    {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)get_device_proc},
    {"vkCreateInstance", (PFN_vkVoidFunction)create_instance},
    {"vkCreateDevice", (PFN_vkVoidFunction)create_device},
    {"vkGetPhysicalDeviceProperties", (PFN_vkVoidFunction)properties},
    {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)properties2},
    {"vkGetPhysicalDeviceProperties2KHR", (PFN_vkVoidFunction)properties2},
    {"vkGetPhysicalDeviceMemoryProperties", (PFN_vkVoidFunction)memory_properties},
    {"vkGetPhysicalDeviceMemoryProperties2", (PFN_vkVoidFunction)memory_properties2},
    {"vkGetPhysicalDeviceMemoryProperties2KHR", (PFN_vkVoidFunction)memory_properties2},
    {"vkAllocateMemory", (PFN_vkVoidFunction)allocate_memory},
    {"vkFreeMemory", (PFN_vkVoidFunction)free_memory},
    {"vkGetBufferMemoryRequirements", (PFN_vkVoidFunction)buffer_requirements},
    {"vkGetBufferMemoryRequirements2", (PFN_vkVoidFunction)buffer_requirements2},
    {"vkGetBufferMemoryRequirements2KHR", (PFN_vkVoidFunction)buffer_requirements2},
    {"vkGetImageMemoryRequirements", (PFN_vkVoidFunction)image_requirements},
    {"vkGetImageMemoryRequirements2", (PFN_vkVoidFunction)image_requirements2},
    {"vkGetImageMemoryRequirements2KHR", (PFN_vkVoidFunction)image_requirements2},
    {"vkQueueSubmit", (PFN_vkVoidFunction)queue_submit},
};

static PFN_vkVoidFunction own_function(const char *name) {
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
    if (strcmp(name, own[i].name) == 0) return own[i].function;
  }
  return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance_proc(VkInstance of, const char *name) {
  PFN_vkVoidFunction function = own_function(name);
  return function != NULL ? function : next_instance_proc(of, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc(VkDevice of, const char *name) {
  PFN_vkVoidFunction function = own_function(name);
  return function != NULL ? function : next_device_proc(of, name);
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *negotiated) {
  negotiated->loaderLayerInterfaceVersion = 2;
  negotiated->pfnGetInstanceProcAddr = get_instance_proc;
  negotiated->pfnGetDeviceProcAddr = get_device_proc;
  negotiated->pfnGetPhysicalDeviceProcAddr = NULL;
  return VK_SUCCESS;
}
